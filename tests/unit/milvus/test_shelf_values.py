"""Names, rows and rankings: what can be said of the shelf without a Milvus."""

import ast
import dataclasses
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from causeway.milvus import rows, schema
from causeway.milvus.fusion import by_words, reciprocal_ranks, terms
from causeway.milvus.server import main
from causeway.milvus.values import ShelfPosition, ShelvedDocument
from causeway.proto.chunks import Manifest, Place
from causeway.proto.knowledge import DocumentRevised


def document(places: int, document_id: str = "d", title: str = "") -> ShelvedDocument:
    """A document of so many chunks whose ids do not compress."""
    named = [
        Place(chunk_id=(n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)).to_bytes(16, "big")) for n in range(places)
    ]
    manifest = Manifest(kb="kb", document_id=document_id, document_key=b"k" * 16, revision=1, title=title, places=named)
    return ShelvedDocument(origin="branch-1", revised=DocumentRevised(manifest=manifest))


def test_an_embedding_space_has_a_name_that_milvus_takes_and_no_other_has() -> None:
    names = [
        schema.chunks_name(model) for model in ("e5-small@int8", "e5_small@int8", "E5-small@int8", "模型", "x" * 500)
    ]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.isidentifier()
        assert name.isascii()
        assert len(name) < 255


def test_without_words_there_is_no_sparse_column_and_no_analyzer() -> None:
    bare = schema.chunks("m", 8, hybrid=False, partitions=False)
    assert bare.bm25 is None
    assert not any(field.analyzed or field.partition_key or field.kind is schema.Kind.SPARSE for field in bare.fields)
    full = schema.chunks("m", 8, hybrid=True, partitions=True)
    assert full.bm25 == ("text", "sparse")
    assert [field.name for field in full.fields if field.partition_key] == ["kb"]


@given(places=st.integers(0, 9_000), title=st.text(max_size=40), document_id=st.text(min_size=1, max_size=40))
def test_any_document_comes_back_from_its_rows_in_any_order(places: int, title: str, document_id: str) -> None:
    whole = document(places, document_id, title)
    written = rows.document_rows(whole)
    assert all(len(row["revised"]) <= schema.PART_CHARS_MAX for row in written)
    assert rows.documents_of(reversed(written)) == {whole.key: whole}


def test_a_document_whose_parts_do_not_fit_together_is_not_there() -> None:
    new, old = rows.document_rows(document(9_000)), rows.document_rows(document(8_999, title="other"))
    assert len(new) == len(old) > 2
    assert [row["part"] for row in new][-1] == 0
    assert rows.documents_of(new[1:]) == {}
    assert rows.documents_of([*new[:1], *old[1:]]) == {}


def test_a_long_title_is_cut_between_characters() -> None:
    (row,) = rows.document_rows(document(1, title="标" * 3_000))
    assert len(row["title"].encode()) <= rows.TITLE_BYTES_MAX
    assert set(row["title"]) == {"标"}


def test_a_position_comes_back() -> None:
    position = ShelfPosition(seq=5, stream_created=1_767_225_600_000_000_001, clearing=True)
    row = rows.position_row(position)
    assert rows.position_of(ast.literal_eval(row["value"].replace("true", "True"))) == position
    assert rows.position_of(None) == dataclasses.replace(ShelfPosition())


def test_a_position_from_before_there_were_forms_is_of_none() -> None:
    assert rows.position_of({"seq": 5, "stream_created": 7, "clearing": False}).form == 0


def test_what_both_rankings_have_comes_before_what_one_has_first() -> None:
    assert [name for name, _ in reciprocal_ranks(["a", "b"], ["c", "b"])] == ["b", "a", "c"]


def test_words_are_lower_case_words_and_pairs_of_characters() -> None:
    assert terms("Basel III 资本充足率 x") == ["basel", "iii", "资本", "本充", "充足", "足率", "x"]


def test_texts_that_share_no_word_are_not_ranked() -> None:
    texts = [("a", "the wage for overtime"), ("b", "加班工资"), ("c", "the canteen")]
    assert by_words("Overtime wage", texts) == ["a"]
    assert by_words("加班的工资", texts) == ["b"]
    assert by_words("", texts) == by_words("x", []) == []


def test_the_values_cost_no_import_of_pymilvus() -> None:
    modules = "causeway.milvus.values, causeway.milvus.port, causeway.milvus.errors, causeway.sync_delta.shelving"
    asked = f"import sys, {modules}; sys.exit('pymilvus' in sys.modules or 'grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_a_start_without_a_folder_is_refused() -> None:
    assert main([]) == 78
