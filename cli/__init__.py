"""The `crossfeed` command: parses, calls, prints."""
