"""The rendered configurations: no secret in them, the same text for the same fleet, and who may do what."""

import re

import pytest

from causeway.topology.description import Fleet, Hub, LinkKind, Ports, Site
from causeway.topology.hub_config import HubServer, render_accounts, render_hub_config
from causeway.topology.server_config import Store, TlsFiles
from causeway.topology.site_config import Link, SiteServer, render_site_config
from causeway.topology.site_keys import new_seed, public_key
from causeway.topology.sources import hub_feeds, hub_source, site_sources

STORE = Store(folder="/data/jetstream")
TLS = TlsFiles(certificate="/tls/tls.crt", key="/tls/tls.key", authority="/tls/ca.crt")
FLEET = Fleet(
    sites=(
        Site(name="a", nkey=public_key(new_seed()), kbs=("k",)),
        Site(name="b", nkey=public_key(new_seed()), kbs=("k", "m"), link=LinkKind.WSS),
    )
)
SERVER = SiteServer(site="a", port=4222, monitor_port=8222, store=STORE)


def test_a_site_has_both_accounts_and_no_link_until_it_joins() -> None:
    text = render_site_config(SERVER)
    assert "APP {" in text
    assert "LINK {" in text
    assert "leafnodes" not in text
    joined = render_site_config(SERVER, Link(urls=("tls://hub:7422",), tls=TLS))
    assert "account: LINK" in joined
    assert "handshake_first: true" in joined
    assert "nkey: $CAUSEWAY_LEAF_SEED" in joined


def test_over_websocket_tls_comes_first_anyhow() -> None:
    assert "handshake_first" not in render_site_config(SERVER, Link(urls=("wss://hub:443",), tls=TLS))


def test_secrets_are_names_of_variables() -> None:
    texts = render_site_config(SERVER, Link(urls=("nats-leaf://hub:7422",))) + render_accounts(FLEET)
    assert set(re.findall(r"(?:password|key|nkey): (\$?\w+)", texts)) - {site.nkey for site in FLEET.sites} == {
        "$CAUSEWAY_NATS_PASSWORD",
        "$CAUSEWAY_LINK_PASSWORD",
        "$CAUSEWAY_STORAGE_KEY",
        "$CAUSEWAY_LEAF_SEED",
    }


def test_the_previous_key_is_named_while_keys_are_rotated() -> None:
    rotating = Store(folder="/d", rotate_key=True)
    assert "prev_encryption_key: $CAUSEWAY_STORAGE_KEY_PREVIOUS" in render_site_config(
        SiteServer(site="a", port=1, monitor_port=2, store=rotating)
    )
    plain = render_site_config(SiteServer(site="a", port=1, monitor_port=2, store=Store(folder="/d", encryption=False)))
    assert "cipher" not in plain


def test_the_same_fleet_is_the_same_text() -> None:
    assert render_accounts(FLEET) == render_accounts(FLEET)


def test_no_line_of_one_site_names_another() -> None:
    text = render_accounts(FLEET)
    blocks = dict(re.findall(r"^  SITE_(\w+) \{\n(.*?)^  \}", text, re.MULTILINE | re.DOTALL))
    assert set(blocks) == {"a", "b"}
    assert not re.search(r"\.b\b|OUTBOX_b|_m\b|\.m\b", blocks["a"])
    assert not re.search(r"\.a\b|OUTBOX_a|hub\.a_", blocks["b"])


@pytest.mark.parametrize("service", ["sync", "cloud"])
def test_what_a_site_asks_of_the_hub_is_exported_to_that_site_alone_and_answered_in_many_messages(service: str) -> None:
    text = render_accounts(FLEET)
    for site in ("a", "b"):
        subject = f'"site.{site}.{service}.>"'
        row = f"{{ service: {subject}, accounts: [SITE_{site}], response_type: stream }}"
        assert text.count(row) == 1
        assert text.count(subject) == 2, "one export, one import"


def test_the_hub_lets_nobody_in_by_password_but_on_the_client_port() -> None:
    assert "user: causeway, password: $CAUSEWAY_NATS_PASSWORD, allowed_connection_types: [STANDARD]" in render_accounts(
        FLEET
    )


@pytest.mark.parametrize(("own_tls", "expected"), [(True, 2), (False, 1)])
def test_behind_a_proxy_that_ends_tls_the_websocket_is_plain(own_tls: bool, expected: int) -> None:
    hub = Hub(ports=Ports(websocket=8443))
    text = render_hub_config(hub, HubServer(store=STORE, tls=TLS, websocket_tls=own_tls))
    assert text.count("verify: true") == expected
    assert ("no_tls: true" in text) is not own_tls


def test_each_feed_of_a_site_has_a_source_there() -> None:
    feeds, sources = hub_feeds("b", ("k", "m")), site_sources("b", ("k", "m"))
    assert [feed.consumer for feed in feeds] == [source.consumer for source in sources] == ["b_k", "b_m", "b"]
    assert len({source.api_prefix for source in sources}) == len({feed.deliver_subject for feed in feeds}) == 3


def test_feeds_of_sites_and_kbs_with_like_names_do_not_meet() -> None:
    pairs = [("a", "b-c"), ("a-b", "c"), ("a", "artifact"), ("a", "b_c"), ("a", "kb")]
    feeds = {feed for site, kb in pairs for feed in hub_feeds(site, (kb,))}
    assert len({feed.consumer for feed in feeds}) == len({feed.deliver_subject for feed in feeds}) == len(feeds) == 7


def test_what_comes_up_is_put_under_the_name_of_its_site() -> None:
    source = hub_source("a")
    assert (source.owner, source.stream, source.subjects) == ("a", "OUTBOX_a", "site.*.outbox.*.*.*")
