"""The places of a document as runs of chunk numbers, and back: a page of new chunks is one run of a few bytes."""

from collections.abc import Iterator, Mapping, Sequence

from causeway.proto.chunks import Place
from causeway.proto.outbox import Run

# A manifest of more places does not fit in a message of 8 MiB.
CHUNKS_MAX = 500_000
NUMBER_MAX = 2**63 - 1


class BadRunsError(ValueError):
    """The runs of a document from the link can not be chunk numbers: repair it by `causeway sync verify --repair`."""


class MissingChunksError(LookupError):
    """The document names numbers whose chunks are not here yet: they come before it in the outbox."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(f"{len(numbers)} chunks, the first is number {numbers[0]}: {type(self).__doc__}")
        self.numbers = tuple(numbers)


def runs_of(places: Sequence[Place], number_of: Mapping[bytes, int]) -> list[Run]:
    """As few runs as there can be: a run ends where the numbers do not go on, or the pages change.

    Raises:
        BadRunsError: more places than a document may have.
    """
    if len(places) > CHUNKS_MAX:
        raise BadRunsError(f"a document of {len(places)} chunks, at most {CHUNKS_MAX}: split it into parts")
    return list(_runs([(number_of[place.chunk_id], place.page_first, place.page_last) for place in places]))


def _runs(numbered: Sequence[tuple[int, int, int]]) -> Iterator[Run]:
    begin = 0
    for end in range(1, len(numbered) + 1):
        if end < len(numbered) and _goes_on(numbered[end - 1], numbered[end]):
            continue
        start, page_first, page_last = numbered[begin]
        yield Run(start=start, count=end - begin, page_first=page_first, page_last=page_last)
        begin = end


def _goes_on(before: tuple[int, int, int], after: tuple[int, int, int]) -> bool:
    return after == (before[0] + 1, before[1], before[2])


def checked(runs: Sequence[Run]) -> Sequence[Run]:
    """`runs`, if they can be those of a document: looked at before anything of their size is made.

    Raises:
        BadRunsError: an empty run, a number below 1 or beyond 63 bits, a page below 0, or too many chunks.
    """
    total = 0
    for run in runs:
        total += run.count
        if run.count < 1 or run.start < 1 or min(run.page_first, run.page_last) < 0:
            raise BadRunsError(f"{run}: {BadRunsError.__doc__}")
        if total > CHUNKS_MAX or run.start + run.count - 1 > NUMBER_MAX:
            raise BadRunsError(f"{run} brings it to {total} chunks, at most {CHUNKS_MAX}: {BadRunsError.__doc__}")
    return runs


def numbers_of(runs: Sequence[Run]) -> list[int]:
    """The numbers that the runs name, each once, in the order of their first use.

    Raises:
        BadRunsError: they can not be the runs of a document.
    """
    return list(dict.fromkeys(number for run in checked(runs) for number in range(run.start, run.start + run.count)))


def places_of(runs: Sequence[Run], chunk_of: Mapping[int, bytes]) -> list[Place]:
    """The places that the runs stand for. Chunks may repeat.

    Raises:
        BadRunsError: they can not be the runs of a document.
        MissingChunksError: `chunk_of` does not know some of the numbers; the error lists them.
    """
    missing = [number for number in numbers_of(runs) if number not in chunk_of]
    if missing:
        raise MissingChunksError(missing)
    return [
        Place(chunk_id=chunk_of[number], page_first=run.page_first, page_last=run.page_last)
        for run in runs
        for number in range(run.start, run.start + run.count)
    ]
