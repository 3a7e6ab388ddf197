"""Checks, by running code, of the paper's and this project's mathematical claims."""
