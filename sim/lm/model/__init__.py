"""The decoder-only transformer: configuration, forward pass, text generation, and placement of a population on devices."""
