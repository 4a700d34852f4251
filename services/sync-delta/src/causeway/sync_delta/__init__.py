"""Carries what may leave over the link: gate, deltas, merge, watermarks, comparison."""
