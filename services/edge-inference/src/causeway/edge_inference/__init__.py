"""Holds a site's encrypted vault and its indexes, and answers questions from them."""
