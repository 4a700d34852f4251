"""When a site notices that documents of the hub are missing, and how far back its feed begins again."""

from causeway.sync_delta.fingerprints import Agreement, Patience, fingerprint_of, observed, rewind

PATIENCE = Patience(differs_s=3, rewound_s=15)
A, B = fingerprint_of([(b"k1", b"d1")]), fingerprint_of([(b"k1", b"d2")])


def test_a_fingerprint_tells_documents_apart_and_nothing_has_none() -> None:
    assert A != B
    assert fingerprint_of([]) == b""
    assert fingerprint_of([(b"k1", b"d1")]) == A


def test_a_kb_that_differs_for_long_while_nothing_is_under_way_begins_again_where_it_was_equal() -> None:
    state = observed(Agreement(), A, A, outbox_seq=70, now_s=0, quiet=True)
    assert rewind(state, 0, PATIENCE) is None
    state = observed(state, B, A, outbox_seq=90, now_s=10, quiet=True)
    assert rewind(state, 10, PATIENCE) is None
    state = observed(state, B, A, outbox_seq=90, now_s=13, quiet=True)
    assert rewind(state, 13, PATIENCE) == 70


def test_what_is_under_way_and_what_has_just_changed_is_waited_for() -> None:
    state = observed(Agreement(), A, b"", outbox_seq=70, now_s=0, quiet=True)
    busy = observed(state, A, b"", outbox_seq=70, now_s=10, quiet=False)
    assert rewind(busy, 10, PATIENCE) is None
    changed = observed(state, B, b"", outbox_seq=80, now_s=10, quiet=True)
    assert rewind(changed, 10, PATIENCE) is None


def test_a_rewind_is_given_time_and_the_next_one_begins_at_the_start() -> None:
    tried = Agreement(equal_seq=70, theirs=B, differs_since_s=0, rewound_s=10, rewinds=1)
    assert rewind(tried, 20, PATIENCE) is None
    assert rewind(tried, 25, PATIENCE) == 0
