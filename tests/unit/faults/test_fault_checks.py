"""The checks of the fault runs see what they are there to see."""

from causeway.bus import Delivery
from causeway.proto.chunks import Manifest, Place
from causeway.proto.documents import Residency
from causeway.proto.knowledge import DocumentRevised, Stamp
from tests.faults.checking import AtHub, Observer, leaked, lost
from tests.faults.writing import KB, Document, Writer

TEXTS = ["one", "two"]


def manifest(revision: int, deleted: bool = False) -> DocumentRevised:
    places = [Place(chunk_id=text.encode()) for text in TEXTS]
    return DocumentRevised(
        manifest=Manifest(
            kb=KB,
            document_id="d",
            document_key=b"d",
            revision=revision,
            deleted=deleted,
            places=[] if deleted else places,
        ),
        stamp=Stamp(wall_ms=1, counter=0, origin="a"),
    )


def held(revised: DocumentRevised | None, texts: list[str] = TEXTS) -> AtHub:
    return AtHub(
        manifests={"d": revised} if revised else {},
        chunks={name.encode(): text for name, text in zip(TEXTS, texts, strict=True)},
    )


def writer(document: Document) -> Writer:
    made = Writer.__new__(Writer)
    made.documents = {document.name: document}
    return made


def test_a_document_that_is_not_there_is_lost() -> None:
    document = writer(Document(name="d", revision=7, texts=TEXTS))
    assert lost(document, held(manifest(7))) == []
    assert lost(document, held(None)) == ["d"]
    assert lost(document, held(manifest(6))) == ["d"]
    assert lost(document, held(manifest(7, deleted=True))) == ["d"]
    assert lost(document, held(manifest(7), ["one", "other"])) == ["d"]


def test_a_document_that_should_be_gone_counts_as_lost_when_it_stands() -> None:
    for document in (
        Document(name="d", revision=8, deleted=True),
        Document(name="d", revision=8, texts=TEXTS, residency=Residency.RESTRICTED),
    ):
        assert lost(writer(document), held(manifest(8))) == ["d"]
        assert lost(writer(document), held(manifest(8, deleted=True))) == []


def test_a_secret_is_seen_on_the_link_and_in_the_log() -> None:
    assert leaked({"SECRET x"}, b"...SECRET x...", held(None)) == ["SECRET x"]
    assert leaked({"two"}, b"", held(manifest(1))) == ["two"]
    assert leaked({"SECRET x"}, b"SECRET y", held(manifest(1))) == []


class _Seen(Observer):
    """Fed by hand."""

    async def feed(self, *revisions: int) -> None:
        for revised in map(manifest, revisions):
            delivery = Delivery.__new__(Delivery)
            object.__setattr__(delivery, "message", revised)
            object.__setattr__(delivery, "subject", "site.a.knowledge.k.document.64")
            object.__setattr__(delivery, "stream_seq", self.position.seq + 1)
            await self._see([delivery])


async def test_an_effect_that_comes_twice_or_too_late_is_seen() -> None:
    observer = _Seen(bus=None)  # type: ignore[arg-type]
    await observer.feed(1, 2, 3)
    assert (observer.twice, observer.out_of_order) == ([], [])
    await observer.feed(3)
    assert len(observer.twice) == 1
    await observer.feed(2)
    assert len(observer.out_of_order) == 2
