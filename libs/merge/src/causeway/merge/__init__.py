"""Which of several versions of a document stands: hybrid logical clocks, what was seen, and siblings."""
