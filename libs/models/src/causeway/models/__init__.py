"""Models by role: where they come from, their checksums, the embedding encoder and its quantization."""
