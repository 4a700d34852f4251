"""Chinese and English text: language detection, search terms, sentences."""
