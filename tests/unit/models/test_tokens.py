"""Texts become the ids that the embedding table is ordered by, normalised as the model was trained."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from causeway.models.errors import ModelMissing
from causeway.models.packed import PackedWeights
from causeway.models.piecefile import build_sentencepiece
from causeway.models.tokens import JSON_NAME, SENTENCEPIECE_NAME, open_tokens
from tests.support.packed_model import PIECES, write_packed_model

BOS, EOS, UNK = (PIECES.index(special) for special in ("<s>", "</s>", "<unk>"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_packed_model(tmp_path / "tiny.bin")
    vocabulary = PackedWeights(tmp_path / "tiny.bin").vocabulary
    (tmp_path / SENTENCEPIECE_NAME).write_bytes(build_sentencepiece(vocabulary))
    return tmp_path


def read(folder: Path, text: str) -> list[str]:
    ids = open_tokens(folder).read(text)
    assert (ids[0], ids[-1]) == (BOS, EOS)
    return [PIECES[index] for index in ids[1:-1]]


def test_ids_are_the_pieces_places_in_the_vocabulary(folder: Path) -> None:
    assert read(folder, "hello world") == ["▁hello", "▁world"]


def test_width_spaces_and_controls_are_normalised(folder: Path) -> None:
    assert read(folder, "ｈｅｌｌｏ\u3000  wor\u0007ld ") == ["▁hello", "▁world"]


def test_a_special_token_in_a_text_stays_text(folder: Path) -> None:
    assert UNK in open_tokens(folder).read("a</s>b")
    assert open_tokens(folder).read("a</s>b").count(EOS) == 1


def test_an_empty_text_has_only_its_specials(folder: Path) -> None:
    assert open_tokens(folder).read("") == [BOS, EOS]


def test_a_lone_surrogate_does_not_fail(folder: Path) -> None:
    assert len(open_tokens(folder).read("hello \ud800")) > 3


def test_the_same_vocabulary_gives_the_same_bytes(folder: Path) -> None:
    vocabulary = PackedWeights(folder / "tiny.bin").vocabulary
    assert build_sentencepiece(vocabulary) == (folder / SENTENCEPIECE_NAME).read_bytes()


def test_a_tokenizer_json_serves_too_and_its_own_truncation_is_lifted(tmp_path: Path) -> None:
    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "water": 4}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / JSON_NAME))
    tokens = open_tokens(tmp_path)
    assert tokens.read("water water water fire") == [0, 4, 4, 4, 3, 2]
    assert (tokens.eos, tokens.pad) == (2, 1)


def test_a_folder_without_tokenizer_is_missing_something(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"neither sentencepiece.model nor tokenizer.json"):
        open_tokens(tmp_path)
