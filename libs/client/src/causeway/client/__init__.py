"""A typed Python client for producers and chat frontends."""
