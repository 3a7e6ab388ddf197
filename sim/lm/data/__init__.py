"""Data that models read: tasks, public text, and their tokens."""
