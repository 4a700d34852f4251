"""How a link is carried: TLS with client certificates, WebSocket, compression, and changes to a hub that runs."""

import asyncio
import signal
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from causeway.bus import Bus, ConfigurationRefused, RequestTimeout, end_leaf_links, leaf_links, links, reload_servers
from causeway.topology import pki
from causeway.topology.description import Fleet, Site
from causeway.topology.hub_config import ACCOUNTS_FILE, HubServer, render_accounts, render_hub_config
from causeway.topology.server_config import Store
from causeway.topology.site_keys import new_seed, public_key
from tests.support.linked_servers import LinkedServers, environment, linked, write_certificate
from tests.support.nats_server import server_binary
from tests.support.shared_chunks import share, until_holds

MARKER = b"a sentence that nobody on the way may read"


@pytest.mark.parametrize("websocket", [False, True], ids=["leaf", "wss"])
async def test_over_tls_with_a_client_certificate_both_directions_work_and_nothing_can_be_read(
    tmp_path: Path, websocket: bool
) -> None:
    async with (
        linked(tmp_path, sites=("a",), tls=True, websocket=websocket, compression="off", keep=True) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("hub") as hub,
    ):
        await share(a, "a", 500, text=MARKER)
        await share(hub, "hub", 500, text=MARKER)
        await until_holds(hub, 500)
        await until_holds(a, 500)
        link = fleet.links["a"]
        assert link.bytes_up > 500 * len(MARKER)
        assert MARKER not in link.captured_up + link.captured_down


async def test_without_tls_the_same_capture_would_have_seen_it(tmp_path: Path) -> None:
    async with (
        linked(tmp_path, sites=("a",), compression="off", keep=True) as fleet,
        fleet.bus("a", "link") as a,
        fleet.bus("hub") as hub,
    ):
        await share(a, "a", 1, text=MARKER)
        await until_holds(hub, 1)
        assert MARKER in fleet.links["a"].captured_up


@pytest.mark.parametrize("whose", ["none", "another"])
async def test_who_has_no_certificate_of_the_fleet_is_not_even_greeted(tmp_path: Path, whose: str) -> None:
    async with linked(tmp_path, sites=("a",), tls=True) as fleet:
        assert fleet.authority is not None
        context = ssl.create_default_context(cadata=fleet.authority.certificate.decode())
        if whose == "another":
            other = pki.new_authority("others", now=datetime.now(UTC))
            made = pki.site_certificate(other, "a", now=datetime.now(UTC))
            files = write_certificate(tmp_path, other, made)
            context.load_cert_chain(files.certificate, files.key)
        assert await greeting(fleet.fleet.hub.ports.leaf, context) == b""


async def test_a_renewed_certificate_is_taken_while_the_links_stand(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=("a",), tls=True) as fleet, fleet.bus("hub") as hub:
        assert fleet.authority is not None
        before = (await fleet.until_linked("a"))["id"]
        shown = await certificate_shown(fleet)
        renewed = pki.server_certificate(fleet.authority, ("127.0.0.1",), now=datetime.now(UTC))
        write_certificate(tmp_path / "hub", fleet.authority, renewed)
        await reload_servers(hub)
        assert await certificate_shown(fleet) == ssl.PEM_cert_to_DER_cert(renewed.certificate.decode()) != shown
        assert (await fleet.until_linked("a"))["id"] == before


async def certificate_shown(fleet: LinkedServers) -> bytes:
    """The certificate that the hub shows to a site that connects now."""
    folder = fleet.places["a"].folder
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(str(folder / "tls.crt"), str(folder / "tls.key"))
    _, writer = await asyncio.open_connection("127.0.0.1", fleet.fleet.hub.ports.leaf, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(shown)


async def test_accounts_that_can_not_be_read_change_nothing(tmp_path: Path) -> None:
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
        (fleet.places["hub"].folder / ACCOUNTS_FILE).write_text("accounts { HUB { users: [")
        with pytest.raises(ConfigurationRefused):
            await reload_servers(hub)
        await share(a, "a", 3)
        await until_holds(hub, 3)


async def test_a_server_that_says_nothing_is_not_taken_for_one_that_did_what_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "FIRST_S", 0.5)
    async with linked(tmp_path, sites=("a",)) as fleet, fleet.bus("hub") as hub:
        await fleet.until_linked("a")
        server = fleet.places["hub"].process
        assert server is not None
        server.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(RequestTimeout, match="no server of the hub"):
                await reload_servers(hub)
            with pytest.raises(RequestTimeout, match="no server of the hub"):
                await end_leaf_links(hub, "SITE_a")
        finally:
            server.send_signal(signal.SIGCONT)


async def greeting(port: int, context: ssl.SSLContext) -> bytes:
    """What a server says first to somebody who connects by TLS."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        async with asyncio.timeout(5):
            first = await reader.read(64)
        writer.close()
    except (ssl.SSLError, ConnectionError):
        return b""
    return first


async def test_compression_is_seen_in_the_bytes_that_cross(tmp_path: Path) -> None:
    crossed = {}
    for compression in ("off", "s2_fast"):
        async with (
            linked(tmp_path / compression, sites=("a",), compression=compression) as fleet,
            fleet.bus("a", "link") as a,
            fleet.bus("hub") as hub,
        ):
            fleet.links["a"].reset()
            await share(a, "a", 2_000)
            await until_holds(hub, 2_000)
            crossed[compression] = fleet.links["a"].bytes_up
    assert crossed["off"] > 2_000 * 700
    assert crossed["s2_fast"] * 3 < crossed["off"]


async def test_adding_the_hundredth_site_keeps_every_connection_and_its_traffic(tmp_path: Path) -> None:
    async with linked(tmp_path) as fleet, fleet.bus("a", "link") as a, fleet.bus("hub") as hub:
        fleet.fleet = with_strangers(fleet, 97)
        await fleet.reload()
        before = {site: (await fleet.until_linked(site))["id"] for site in ("a", "b")}
        connections = {site: link.connections for site, link in fleet.links.items()}
        reconnects = hub.client.reconnects
        busy = asyncio.create_task(share(a, "a", 5_000))
        await fleet.add("c", kbs=("k",))
        await busy
        await share(hub, "hub", 100)
        assert len(fleet.fleet.sites) == 100
        assert {site: (await fleet.until_linked(site))["id"] for site in before} == before
        assert {site: fleet.links[site].connections for site in before} == connections
        assert hub.client.reconnects == reconnects
        await until_holds(hub, 5_000)
        async with fleet.bus("c", "link") as c:
            await until_holds(c, 100)
            await answer_reports(hub)
            assert (await c.client.request("site.c.sync.report", b"", timeout=5)).data == b"heard"


async def answer_reports(hub: Bus) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(b"heard")

    await hub.client.subscribe("site.*.sync.report", cb=answer)
    await hub.client.flush()


def with_strangers(fleet: LinkedServers, count: int) -> Fleet:
    """The fleet with so many sites more, which are not there."""
    grown = fleet.fleet
    for number in range(count):
        grown = grown.with_site(Site(name=f"far-{number}", nkey=public_key(new_seed()), kbs=("k", "m")))
    return grown


async def test_a_site_that_is_removed_is_cut_off_at_once_and_the_others_stay(tmp_path: Path) -> None:
    async with linked(tmp_path) as fleet, fleet.bus("b", "link") as b, fleet.bus("hub") as hub:
        before = (await fleet.until_linked("b"))["id"]
        await fleet.remove("a")
        await fleet.until_unlinked("a")
        await share(b, "b", 5)
        await until_holds(hub, 5)
        assert (await fleet.until_linked("b"))["id"] == before
        assert [link.account for link in await leaf_links(hub)] == ["SITE_b"]


def test_the_server_takes_the_configuration_of_a_hub_with_a_hundred_sites(tmp_path: Path) -> None:
    fleet = Fleet()
    for number in range(100):
        kbs = ("policies", "fee_schedule", "0-day")
        fleet = fleet.with_site(Site(name=f"branch-{number}", nkey=public_key(new_seed()), kbs=kbs))
    hub = replace(fleet.hub, tls=False, ports=replace(fleet.hub.ports, websocket=8443))
    config = tmp_path / "nats-server.conf"
    config.write_text(render_hub_config(hub, HubServer(store=Store(folder=str(tmp_path / "store")))))
    (tmp_path / ACCOUNTS_FILE).write_text(render_accounts(fleet))
    done = subprocess.run(
        [server_binary(), "-t", "-c", str(config)], env=environment(""), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
