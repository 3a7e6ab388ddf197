"""The decoder: its configuration, attention, generation, and placement on devices."""
