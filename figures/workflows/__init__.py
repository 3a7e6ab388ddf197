"""Figures of other workflows than the paper's, and of one model against many: part of `crossfeed figures`."""
