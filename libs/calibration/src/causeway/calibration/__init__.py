"""Confidence as a probability, thresholds that keep a promise, and what measures both: pure functions."""
