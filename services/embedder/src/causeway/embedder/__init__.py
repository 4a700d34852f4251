"""Encodes chunks in token batches and publishes knowledge."""
