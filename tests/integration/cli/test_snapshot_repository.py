"""Snapshots with real git, git-lfs and nats-server: what is taken is what is restored."""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from causeway.bus import Bus
from causeway.cli.errors import BadPathError, UserError
from causeway.cli.snapshot.layout import Contents, Head, contents_of
from causeway.cli.snapshot.repository import Repository
from causeway.cli.snapshot.restoring import refuse_newer_revisions, refuse_other_place, restore
from causeway.cli.snapshot.taking import read_kbs, write
from causeway.proto import subjects
from causeway.proto.chunks import Manifest, Place
from causeway.proto.knowledge import ChunkEmbedded, DocumentRevised
from tests.support.buses import SITE, declared_bus
from tests.support.nats_server import running_server

pytestmark = pytest.mark.skipif(
    shutil.which("git-lfs") is None, reason="git-lfs is not installed: apt-get install git-lfs"
)
KB = "docs"
HEAD = Head(place=SITE, taken_unix_ms=1, chunk_key_check="check", kbs=[KB])


def chunk_of(text: str) -> ChunkEmbedded:
    return ChunkEmbedded(
        kb=KB,
        chunk_id=text.encode().ljust(16, b"\0"),
        model="m",
        language="en",
        context="",
        text=text,
        dims=4,
        vector_f16=text.encode().ljust(8, b"\1")[:8],
    )


async def publish_document(bus: Bus, name: str, texts: list[str], revision: int, origin: str = SITE) -> None:
    """Chunks, then the manifest, as the embedder does."""
    chunks = [chunk_of(text) for text in texts]
    for chunk in chunks:
        subject = subjects.KNOWLEDGE_CHUNK.at(origin, KB, chunk.chunk_id.hex())
        await bus.publish(subject, chunk, msg_id=f"{name}:{revision}:{chunk.text}")
    key = name.encode().ljust(16, b"\0")
    manifest = Manifest(
        kb=KB,
        document_id=name,
        document_key=key,
        revision=revision,
        places=[Place(chunk_id=chunk.chunk_id) for chunk in chunks],
    )
    subject = subjects.KNOWLEDGE_DOCUMENT.at(origin, KB, key.hex())
    await bus.publish(subject, DocumentRevised(manifest=manifest), msg_id=f"{name}:{revision}")


def run_git(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return done.stdout


def read_back(repository: Repository) -> Contents:
    return contents_of(KB, ((path, file.read_bytes()) for path, file in repository.files(KB).items()))


async def test_a_new_place_is_rebuilt_from_any_commit(tmp_path: Path) -> None:
    repository = Repository.made(tmp_path / "repo")
    heard: Counter[str] = Counter()
    with running_server(tmp_path / "old") as server:
        async with declared_bus(server) as bus:
            await publish_document(bus, "a", ["one", "two"], 1)
            await publish_document(bus, "b", ["three"], 2, origin="hub")
            kbs = await read_kbs(bus, [], lambda count: heard.update(read=count))
            first = write(repository, kbs, HEAD)
            assert (first.documents, first.chunks) == ({KB: 2}, 3)
            await publish_document(bus, "a", ["one", "four"], 3)
            second = write(repository, await read_kbs(bus, [KB], lambda _: None), HEAD)
            # The document, and text and vector of a chunk that went and of one that came.
            assert second.files_changed == 5
            again = write(repository, await read_kbs(bus, [KB], lambda _: None), HEAD)
            assert again.files_changed == 0
            now = await read_kbs(bus, [], lambda _: None)
    assert heard["read"] == 5
    assert read_back(repository) == now[KB]
    with running_server(tmp_path / "new") as server:
        async with declared_bus(server) as bus:
            with repository.at(first.commit) as tree:
                old = read_back(tree)
            await refuse_newer_revisions(bus, {KB: old})
            restored = await restore(bus, KB, old, lambda _: None)
            assert (restored.documents, restored.chunks, restored.stood) == (2, 3, 0)
            assert (await read_kbs(bus, [], lambda _: None))[KB] == old
            restored = await restore(bus, KB, read_back(repository), lambda _: None)
            assert (restored.documents, restored.chunks, restored.stood) == (1, 1, 1)
            # An older snapshot over a newer state changes nothing.
            restored = await restore(bus, KB, old, lambda _: None)
            assert restored.documents == 0
            assert (await read_kbs(bus, [], lambda _: None)) == now
            draft = await bus.last("DRAFTS", subjects.DRAFT.at(SITE, KB, b"a".ljust(16, b"\0").hex()))
            assert draft is not None


async def test_vectors_are_lfs_objects_and_a_clone_without_them_says_so(tmp_path: Path) -> None:
    repository = Repository.made(tmp_path / "repo")
    with running_server(tmp_path / "nats") as server:
        async with declared_bus(server) as bus:
            await publish_document(bus, "a", ["one"], 1)
            write(repository, await read_kbs(bus, [], lambda _: None), HEAD)
    assert run_git(repository.root, "lfs", "ls-files").count(".f16") == 1
    assert run_git(repository.root, "cat-file", "-p", f"HEAD:{KB}/vectors/{SITE}/6f.f16").startswith(
        "version https://git-lfs"
    )
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "--quiet", f"file://{repository.root}", str(clone), GIT_LFS_SKIP_SMUDGE="1")
    with pytest.raises(UserError, match="pointer"):
        read_back(Repository.opened(clone))


async def test_a_place_whose_next_revision_would_be_lower_is_refused(tmp_path: Path) -> None:
    with running_server(tmp_path / "nats") as server:
        async with declared_bus(server) as bus:
            await publish_document(bus, "a", ["one"], 2**60)
            kbs = await read_kbs(bus, [], lambda _: None)
            with pytest.raises(UserError, match="lower"):
                await refuse_newer_revisions(bus, kbs)


def test_a_snapshot_of_another_place_or_key_is_refused() -> None:
    refuse_other_place(HEAD, SITE, "check")
    with pytest.raises(UserError, match="is of 'site1', this is 'other'"):
        refuse_other_place(HEAD, "other", "check")
    with pytest.raises(UserError, match="another chunk"):
        refuse_other_place(HEAD, SITE, "another")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadPathError, match="not empty"):
        Repository.made(tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    with pytest.raises(BadPathError, match="not committed|something else"):
        Repository.made(tmp_path)
    with pytest.raises(BadPathError, match="not the repository of a snapshot"):
        Repository.opened(tmp_path)
