"""Lexical search, learned fusion of dense and lexical scores, and reading: pure functions, proven alone."""
