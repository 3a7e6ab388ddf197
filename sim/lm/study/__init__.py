"""What to run: the settings of a study, and the TOML file that states them."""
