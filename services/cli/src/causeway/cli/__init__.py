"""The causeway command: runs a site, publishes, asks, shows status, evaluates."""
