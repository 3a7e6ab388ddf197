"""A run that survives interruptions: the loop over generations, checkpoints, measures, and the use of its models."""
