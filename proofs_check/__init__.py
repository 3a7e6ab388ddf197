"""Claims of the paper and of this project, decided by running code."""
