"""The folder of a hub, and what a site keeps of its join file."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from causeway.cli.errors import BadConfigError, SiteFolderError
from causeway.cli.hub_folder import init_hub, new_site, read_fleet, read_hub, write_fleet
from causeway.cli.join_file import joined_site, keep_join_file
from causeway.cli.keys import SiteKeys
from causeway.cli.linkage import hub_linkage, site_linkage
from causeway.cli.printed_config import Deployment, hub_files, site_files
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder, SiteIdentity
from causeway.proto import streams
from causeway.topology.bundle import Bundle
from causeway.topology.description import Hub, Site
from causeway.topology.errors import TopologyError
from causeway.topology.pki import covers


@pytest.fixture
def hub(tmp_path: Path) -> SiteFolder:
    folder = SiteFolder(tmp_path / "hub")
    init_hub(folder, Hub(hosts=("hub.lan", "10.0.0.1")))
    return folder


def joined(hub: SiteFolder, tmp_path: Path, name: str = "plant-1") -> Path:
    fleet, bundle = new_site(hub, read_fleet(hub), Site(name=name, nkey="", kbs=("policies",)))
    write_fleet(hub, fleet)
    bundle.write(tmp_path / f"{name}.join")
    return tmp_path / f"{name}.join"


def test_a_hub_is_made_once_with_secrets_that_only_its_owner_can_read(hub: SiteFolder) -> None:
    assert read_fleet(hub).hub.hosts == ("hub.lan", "10.0.0.1")
    assert {path.name for path in hub.pki.iterdir()} == {"ca.pem", "ca.key", "hub.pem", "hub.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in hub.pki.iterdir()} == {0o600}
    with pytest.raises(SiteFolderError, match="is there already"):
        init_hub(hub, Hub())


def test_no_hub_is_made_in_the_folder_of_a_site(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    folder.write_identity(SiteIdentity(site="plant-1", encryption=True))
    with pytest.raises(SiteFolderError, match="is the site 'plant-1'"):
        init_hub(folder, Hub())


def test_a_folder_without_a_hub_is_answered_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SiteFolderError, match="there is no hub") as caught:
        read_fleet(SiteFolder(tmp_path))
    assert "causeway hub init" in caught.value.mend


def test_a_name_that_the_hub_got_later_is_in_its_certificate_at_the_next_start(hub: SiteFolder) -> None:
    fleet = read_fleet(hub)
    write_fleet(hub, replace(fleet, hub=replace(fleet.hub, hosts=("hub.lan", "other.lan"))))
    read_hub(hub)
    assert covers((hub.pki / "hub.pem").read_bytes(), ["other.lan"])


def test_a_site_is_named_by_its_join_file_and_needs_it_once(hub: SiteFolder, tmp_path: Path) -> None:
    site = SiteFolder(tmp_path / "site")
    join = joined(hub, tmp_path)
    config, bundle = joined_site(SiteConfig(), site, join)
    assert (config.site, bundle and bundle.kbs) == ("plant-1", ["policies"])
    keep_join_file(join, site)
    join.unlink()
    assert joined_site(SiteConfig(), site, None) == (config, bundle)
    assert (site.link / "site.key").exists()


def test_a_join_file_for_another_site_is_refused(hub: SiteFolder, tmp_path: Path) -> None:
    join = joined(hub, tmp_path)
    with pytest.raises(BadConfigError, match="is named 'plant-2', and the join file is for 'plant-1'"):
        joined_site(SiteConfig(site="plant-2"), SiteFolder(tmp_path / "site"), join)
    old = SiteFolder(tmp_path / "old")
    old.root.mkdir()
    old.write_identity(SiteIdentity(site="local", encryption=True, version=2))
    with pytest.raises(SiteFolderError, match="this folder is the site 'local'") as caught:
        joined_site(SiteConfig(), old, join)
    assert "causeway site add local" in caught.value.mend


def test_a_join_file_that_is_none_or_that_others_can_read_is_refused(hub: SiteFolder, tmp_path: Path) -> None:
    site = SiteFolder(tmp_path / "site")
    (tmp_path / "half.join").write_text("{")
    (tmp_path / "half.join").chmod(0o600)
    with pytest.raises(TopologyError, match="is not a join bundle"):
        joined_site(SiteConfig(), site, tmp_path / "half.join")
    join = joined(hub, tmp_path)
    join.chmod(0o644)
    with pytest.raises(TopologyError, match="can be read by others"):
        joined_site(SiteConfig(), site, join)
    with pytest.raises(TopologyError, match="can not be read"):
        joined_site(SiteConfig(), site, tmp_path / "none.join")


def test_the_account_that_a_link_reaches_holds_nothing_but_what_crosses_it(hub: SiteFolder, tmp_path: Path) -> None:
    folder, keys = SiteFolder(tmp_path / "site"), SiteKeys(tmp_path / "keys")
    bundle = Bundle.read(joined(hub, tmp_path))
    local, link = site_linkage(folder, keys, "plant-1", bundle, rotate=False).accounts
    assert {stream.name for stream in link.streams} == {"CANARY", "INBOX", "OUTBOX_plant-1"}
    assert local.sources is None
    assert not {"INBOX", "OUTBOX_plant-1"} & {stream.name for stream in local.streams}
    assert link.sources
    assert all(source.stream == streams.outbox("hub").name for source in link.sources)


def test_a_site_that_has_not_joined_has_the_same_accounts_and_no_link(tmp_path: Path) -> None:
    folder, keys = SiteFolder(tmp_path / "site"), SiteKeys(tmp_path / "keys")
    linkage = site_linkage(folder, keys, "local", None, rotate=False)
    assert not linkage.linked
    assert [account.user for account in linkage.accounts] == ["causeway", "link"]
    assert linkage.accounts[1].sources == ()
    (text,) = linkage.files(SiteConfig()).values()
    assert "APP {" in text
    assert "LINK {" in text
    assert "leafnodes" not in text


def test_the_hub_takes_from_every_site_and_feeds_each_what_it_subscribes(hub: SiteFolder, tmp_path: Path) -> None:
    joined(hub, tmp_path, "plant-1")
    joined(hub, tmp_path, "plant-2")
    (account,) = hub_linkage(hub, SiteKeys(hub.keys), read_fleet(hub), rotate=False).accounts
    assert [source.stream for source in account.sources or ()] == ["OUTBOX_plant-1", "OUTBOX_plant-2"]
    assert [feed.subjects for feed in account.feeds if "plant-1" in feed.consumer] == [
        "site.hub.outbox.policies.>",
        "site.hub.artifact.>",
    ]


@pytest.mark.parametrize("deployment", [Deployment.COMPOSE, Deployment.K8S])
def test_what_is_printed_for_containers_names_no_path_of_this_machine(
    hub: SiteFolder, tmp_path: Path, deployment: Deployment
) -> None:
    join = joined(hub, tmp_path)
    site = SiteFolder(tmp_path / "site")
    _, bundle = joined_site(SiteConfig(), site, join)
    files = {**hub_files(hub, read_fleet(hub), deployment), **site_files(SiteConfig(), site, bundle, deployment)}
    assert not [name for name, text in files.items() if str(tmp_path) in text]
    handed_out = {"leaf.seed", "site.join", "site.pem", "site.key"}
    assert set(files) == {"nats-server.conf", "accounts.conf", "ca.pem", "hub.pem", "hub.key"} | handed_out
