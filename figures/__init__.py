"""Figures of the paper and of this project, one module each, in one style."""
