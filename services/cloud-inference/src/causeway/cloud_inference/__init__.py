"""Answers questions of sites at the hub: retrieval over what is shared, a served model, checked citations."""
