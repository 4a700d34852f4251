"""The bench of routing takes every way through the decision, and measures what it says."""

from causeway.edge_inference.routing import decide
from causeway.proto.answers import Route
from tests.bench.routing import bench_routing, cases


def test_its_cases_lead_to_every_route() -> None:
    assert {decide(one).route for one in cases()} == set(Route)


def test_every_row_has_a_floor_of_the_same_run() -> None:
    rows = bench_routing(400)
    assert len(rows) == 6
    assert all(row.value > 0 and row.floor > 0 and row.unit == "us" for row in rows)
