"""Records become files and come back the same; damage is named."""

from dataclasses import replace
from pathlib import PurePosixPath

import msgspec
import pytest

from causeway.cli.errors import BadDataError
from causeway.cli.snapshot.layout import Contents, Head, Record, contents_of, files_of, head_bytes, read_head
from causeway.cli.snapshot.taking import only_public
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised, Stamp

KB = "docs"


def chunk(number: int, dims: int = 4) -> ChunkEmbedded:
    return ChunkEmbedded(
        kb=KB,
        chunk_id=bytes([number]) * 16,
        model="m",
        language="zh",
        context="标题",
        text=f"第{number}段\n\u2028换行",
        dims=dims,
        vector_f16=bytes([number, 60]) * dims,
    )


def revised(
    name: str, numbers: list[int], residency: Residency = Residency.PUBLIC, deleted: bool = False
) -> DocumentRevised:
    return DocumentRevised(
        manifest=Manifest(
            kb=KB,
            document_id=name,
            document_key=name.encode().ljust(16, b"\0"),
            revision=7,
            deleted=deleted,
            residency=residency,
            places=[Place(chunk_id=bytes([number]) * 16, page_first=1, page_last=2) for number in numbers],
        ),
        stamp=Stamp(wall_ms=1, counter=2, origin="hub", seen={"a": 3}),
    )


def contents(*records: ChunkEmbedded | DocumentRevised, origin: str = "a") -> Contents:
    made = Contents()
    for message in records:
        made.add(Record(origin=origin, message=message))
    return made


def test_records_come_back_as_they_were() -> None:
    taken = contents(chunk(1), chunk(2), chunk(255), revised("一", [1, 2]), revised("b", [255, 1]))
    files = files_of(KB, taken)
    assert contents_of(KB, files.items()) == taken
    assert files == files_of(KB, contents_of(KB, files.items()))


def test_one_edit_changes_the_files_of_one_chunk_and_one_document() -> None:
    before = files_of(KB, contents(*map(chunk, range(1, 200)), revised("a", [1, 2]), revised("b", [3])))
    after = files_of(KB, contents(*map(chunk, range(1, 201)), revised("a", [1, 200]), revised("b", [3])))
    changed = {path.as_posix() for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert len(changed) == 3
    assert {path.split("/")[1] for path in changed} == {"documents", "chunks", "vectors"}


def test_chunks_that_no_document_names_are_left_out() -> None:
    taken = contents(chunk(1), chunk(2), revised("a", [1]))
    taken.keep_named()
    assert [key for _, key in taken.chunks] == [bytes([1]) * 16]


def test_only_public_takes_the_chunks_of_the_others_away() -> None:
    taken = contents(chunk(1), chunk(2), revised("a", [1]), revised("b", [1, 2], Residency.RESTRICTED))
    public = only_public(taken)
    assert [message.manifest.document_id for message in public.documents.values()] == ["a"]
    assert len(public.chunks) == 1


def test_a_document_without_its_chunks_is_named() -> None:
    assert contents(chunk(1), revised("a", [1, 2])).missing() == ["a"]


def test_a_pointer_in_the_place_of_a_vector_file_says_to_fetch_it() -> None:
    files = files_of(KB, contents(chunk(1), revised("a", [1])))
    path = PurePosixPath(KB, "vectors", "a", "01.f16")
    with pytest.raises(BadDataError, match="pointer") as caught:
        contents_of(KB, (files | {path: b"version https://git-lfs.github.com/spec/v1\n"}).items())
    assert "git lfs pull" in caught.value.mend


@pytest.mark.parametrize("body", [b"", b"\x01" * 23, b"\x02" * 24])
def test_a_vector_file_that_does_not_fit_its_texts_is_refused(body: bytes) -> None:
    files = files_of(KB, contents(chunk(1), revised("a", [1])))
    with pytest.raises(BadDataError, match="vector"):
        contents_of(KB, (files | {PurePosixPath(KB, "vectors", "a", "01.f16"): body}).items())


def test_a_head_of_a_newer_format_is_refused() -> None:
    head = Head(place="a", taken_unix_ms=1, chunk_key_check="c", kbs=[KB])
    assert read_head(head_bytes(head)) == head
    with pytest.raises(BadDataError, match="format 2"):
        read_head(head_bytes(msgspec.structs.replace(head, format=2)))
    with pytest.raises(BadDataError, match="can not be read"):
        read_head(b"{}")


def test_equal_contents_are_equal_values() -> None:
    one = contents(chunk(1))
    assert replace(one) == one
