"""The study: its settings, the TOML file that states them, and the texts that they name."""
