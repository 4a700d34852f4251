"""Parses documents, cuts them into chunks, and asks for only the new ones to be embedded."""
