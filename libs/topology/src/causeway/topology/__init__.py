"""Hub and sites as one description: server configurations, accounts, keys and certificates."""
