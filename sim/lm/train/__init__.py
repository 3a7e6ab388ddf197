"""Training and scoring a population of models."""
