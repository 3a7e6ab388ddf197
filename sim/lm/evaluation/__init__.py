"""Measures of models and of the texts they generate."""
