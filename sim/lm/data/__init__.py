"""What models read: private tasks, public text, held-out tests, and their tokens."""
