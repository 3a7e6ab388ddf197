"""Who publishes what, and who reads it: prompts, the pool, and curation."""
