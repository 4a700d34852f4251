"""One module for each subcommand: its options, and what it prints."""
