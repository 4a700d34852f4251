"""A change of the fleet that the running hub did not take is said to be written and not in force."""

from pathlib import Path

import pytest

from causeway.bus import ConfigurationRefused, RequestTimeout
from causeway.cli import fleet_change
from causeway.cli.errors import UserError
from causeway.cli.fleet_change import change_fleet
from causeway.cli.hub_folder import read_fleet
from causeway.cli.site_folder import SiteFolder
from causeway.topology.description import Fleet, Site
from causeway.topology.site_keys import new_seed, public_key


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A fleet with a site more, and a hub that runs."""
    monkeypatch.setattr(SiteFolder, "read_record", lambda self: object())
    return Fleet().with_site(Site(name="plant-1", nkey=public_key(new_seed())))


def failing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(fleet_change, "_take_effect", fails)


async def test_a_hub_that_can_not_be_told_has_the_change_at_its_next_start(
    tmp_path: Path, grown: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(RequestTimeout("no server of the hub replied within 10 s"), monkeypatch)
    with pytest.raises(UserError, match=r"is written, and the hub that runs does not have it yet: .*no server") as told:
        await change_fleet(SiteFolder(tmp_path), Fleet(), grown)
    assert "causeway up hub" in told.value.mend
    assert [site.name for site in read_fleet(SiteFolder(tmp_path)).sites] == ["plant-1"]


async def test_accounts_that_the_server_refuses_are_told_as_that(
    tmp_path: Path, grown: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(ConfigurationRefused("line 3"), monkeypatch)
    with pytest.raises(ConfigurationRefused):
        await change_fleet(SiteFolder(tmp_path), Fleet(), grown)
