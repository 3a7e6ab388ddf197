"""Tables and figures of language-model runs."""
