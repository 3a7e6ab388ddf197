"""Figures of the paper and of this project; one module each, one look for all."""
