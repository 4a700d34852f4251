"""Finds the items on which two replicas differ, by fingerprints of ranges."""
