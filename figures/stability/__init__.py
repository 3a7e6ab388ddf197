"""Figures of the stability theorems: what makes an ecosystem safe, and what breaks it; part of `crossfeed figures`."""
