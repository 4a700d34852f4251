"""Evaluation of a site on public sets, through its own services."""
