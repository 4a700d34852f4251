"""The versions of a document join like maxima: in any order, in any grouping, any number of times."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from causeway.merge import Timestamp, Version, Versions, add, join

ORIGINS = ["a", "b", "c", "hub"]
versions_of = st.builds(
    Version,
    st.sampled_from(ORIGINS),
    st.integers(1, 3),
    st.integers(0, 1),
    st.builds(Timestamp, st.integers(0, 3), st.integers(0, 1), st.sampled_from(ORIGINS)),
    st.dictionaries(st.sampled_from(ORIGINS), st.integers(1, 3), max_size=3),
    st.booleans(),
)
lists_of_versions = st.lists(versions_of, max_size=8)


def collected(versions: list[Version]) -> Versions:
    found: Versions = {}
    for version in versions:
        found = add(found, version)
    return found


@given(lists_of_versions, st.randoms(use_true_random=False))
def test_the_order_in_which_versions_are_heard_does_not_matter(versions: list[Version], random: Random) -> None:
    shuffled = sorted(versions, key=lambda _: random.random())
    assert collected(versions) == collected(shuffled)


@given(lists_of_versions)
def test_hearing_a_version_again_changes_nothing(versions: list[Version]) -> None:
    once = collected(versions)
    assert collected(versions + versions) == once
    for version in versions:
        assert add(once, version) == once


@given(lists_of_versions, lists_of_versions, lists_of_versions)
def test_join_is_commutative_associative_and_idempotent(
    left: list[Version], right: list[Version], third: list[Version]
) -> None:
    one, two, three = collected(left), collected(right), collected(third)
    assert join(one, two) == join(two, one) == collected(left + right)
    assert join(join(one, two), three) == join(one, join(two, three))
    assert join(one, one) == one


@given(lists_of_versions)
def test_the_newest_revision_of_each_origin_stays_and_its_latest_repair(versions: list[Version]) -> None:
    held = collected(versions)
    assert set(held) == {version.origin for version in versions}
    for version in versions:
        kept = held[version.origin]
        assert (kept.revision, kept.repair) >= (version.revision, version.repair)


@given(lists_of_versions, versions_of)
def test_adding_changes_no_value_that_was_given(versions: list[Version], version: Version) -> None:
    held = collected(versions)
    before = dict(held)
    add(held, version)
    assert held == before
