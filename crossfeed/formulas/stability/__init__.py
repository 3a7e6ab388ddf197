"""Who can diverge, and what prevents it: one theorem per file (`docs/theory.md`, sections 3 and 4)."""
