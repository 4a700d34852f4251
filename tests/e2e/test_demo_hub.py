"""The demo of a hub as a person runs it."""

import pytest

from causeway.cli.demo_routes import demo_engine
from causeway.cli.engine_config import EngineKind
from tests.support.site import run_causeway

ROUTES = ("edge: its own document answers", "fallback: no word from the hub within the asker's time")
BY_HUB = ("cloud: the plant's document, by the hub's model", "cache: the same question again")


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(900)
def test_the_demo_of_a_hub_shows_what_crosses_a_link_and_all_four_routes() -> None:
    shown = run_causeway("demo-hub", "--lang", "en", timeout_s=880)
    assert "everything as expected" in shown
    assert "✗" not in shown
    assert [route for route in ROUTES if f"✓ {route}" not in shown] == []
    if demo_engine().kind is EngineKind.NONE:
        assert "cloud and cache can not be shown" in shown
    else:
        assert [route for route in BY_HUB if f"✓ {route}" not in shown] == []
