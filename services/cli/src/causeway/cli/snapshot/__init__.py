"""A knowledge base as a git repository: metadata and texts as text, vectors as Git LFS objects."""
