"""What may not leave does not: neither in OUTBOX nor in the bytes of the link; what was shared is taken back."""

from pathlib import Path

from causeway.proto import streams, subjects
from causeway.proto.documents import Residency
from causeway.proto.identity import document_key
from causeway.proto.outbox import DocumentShared
from tests.support.linked_servers import linked
from tests.support.sync_delta_places import RunningPlace, key_of, running
from tests.support.waiting import until_async

SECRET = "xyzzySECRETxyzzy"


async def outbox_document(site: RunningPlace, document_id: str) -> DocumentShared | None:
    key = document_key(key_of(site.name), "k", document_id)
    subject = subjects.OUTBOX_DOCUMENT.at(site.name, "k", key.hex())
    stored = await site.link.last(streams.outbox(site.name).name, subject)
    if stored is None:
        return None
    assert isinstance(stored.message, DocumentShared)
    return stored.message


async def test_restricted_and_internal_documents_are_in_no_outbox_and_no_byte_of_them_on_the_link(
    tmp_path: Path,
) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",), keep=True, compression="off") as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await site.write(f"{SECRET}-1", [f"restricted {SECRET}"], residency=Residency.RESTRICTED)
        await site.write(f"{SECRET}-2", [f"internal {SECRET}"], residency=Residency.INTERNAL)
        public = await site.write("public.md", ["this may be seen: plughPUBLICplugh"])
        await hub.until_revision("a", "public.md", public)
        await site.until_quiet()
        assert await outbox_document(site, f"{SECRET}-1") is None
        assert await outbox_document(site, f"{SECRET}-2") is None
        assert await site.sync.state.read(lambda tables: tables.outbox.withheld_count()) == 2
        captured = bytes(fleet.links["a"].captured_up)
        assert b"public.md" in captured, "the capture shows what does cross"
        assert SECRET.encode() not in captured


async def test_raising_a_public_document_to_restricted_takes_it_back_at_the_hub(tmp_path: Path) -> None:
    async with (
        linked(tmp_path / "fleet", sites=("a",)) as fleet,
        running(fleet, "hub", tmp_path) as hub,
        running(fleet, "a", tmp_path) as site,
    ):
        await hub.until_revision("a", "d", await site.write("d", ["public once"]))
        raised = await site.write("d", ["now with a name in it"], residency=Residency.RESTRICTED)
        revised = await hub.until_revision("a", "d", raised)
        assert revised.manifest.deleted
        assert revised.manifest.title == ""
        await site.until_quiet()

        async def chunks_gone() -> bool:
            there = [each async for each in site.link.scan("OUTBOX_a", [subjects.OUTBOX_CHUNK.at("a")])]
            return not there

        await until_async(chunks_gone)
        lines = await site.sync.state.read(lambda tables: list(tables.outbox.lines()))
        assert [line.action for line in lines] == ["share", "retract"]
        again = await site.write("d", ["public again"])
        await hub.until_revision("a", "d", again)
        assert await hub.texts("a", "d") == ["public again"]
