"""Makes the XLM-R Unigram tokenizer of the E5 models from a vocabulary, in the format of the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from causeway.models.packed import Vocabulary

BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
METASPACE = "▁"
# SentencePiece's nmt_nfkc keeps the fullwidth tilde, which plain NFKC would fold; it waits in a private code point meanwhile.
_TILDE, _TILDE_KEPT = "\uff5e", "\ue0fe"


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """A tokenizer that adds `<s>` and `</s>`, neither truncates nor pads, and normalises as XLM-R was trained."""
    tokenizer = Tokenizer(models.Unigram(vocabulary.pieces, unk_id=vocabulary.unk, byte_fallback=False))
    tokenizer.normalizer = _normalizer(vocabulary.normalized)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=METASPACE, prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Metaspace(replacement=METASPACE, prepend_scheme="always")
    tokenizer.add_special_tokens([BOS, PAD, EOS, UNK, MASK])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} {EOS} $B {EOS}",
        special_tokens=[(BOS, vocabulary.bos), (EOS, vocabulary.eos)],
    )
    return tokenizer


def _normalizer(normalized: dict[int, str]) -> normalizers.Normalizer:
    deleted = [point for point, text in normalized.items() if text == ""]
    spaces = [point for point, text in normalized.items() if text == " "]
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(_any_of(deleted)), ""),
            normalizers.Replace(Regex(_any_of(spaces)), " "),
            normalizers.Replace(_TILDE, _TILDE_KEPT),
            normalizers.NFKC(),
            normalizers.Replace(_TILDE_KEPT, _TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


def _any_of(points: Iterable[int]) -> str:
    return "[" + "".join(f"\\x{{{point:x}}}" for point in sorted(points)) + "]"
