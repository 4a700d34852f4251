"""Chinese and English text: language detection, search terms, sentences."""

from causeway.language.detection import Language, Script, detect, script
from causeway.language.folding import fold
from causeway.language.sentences import Span, sentences
from causeway.language.words import terms

__all__ = ["Language", "Script", "Span", "detect", "fold", "script", "sentences", "terms"]
