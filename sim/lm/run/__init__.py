"""A run that survives interruptions: its folder, checkpoints, measures, and the loop over generations."""
