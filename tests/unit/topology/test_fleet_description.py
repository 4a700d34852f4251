"""fleet.yaml: what is written is read again, and each mistake is answered with its line and a mend."""

import pytest

from causeway.topology.description import (
    Fleet,
    Hub,
    LinkKind,
    Ports,
    Site,
    StoreLimits,
    checked_site_name,
    hub_urls,
    parse_fleet,
    render_fleet,
)
from causeway.topology.errors import BadFleetError
from causeway.topology.site_keys import is_public_key

KEY = "UDVWXR7LJRK5SAEAVU5RXOJM7FXRJGYYZLWSEGEZEDJIRGWPP5F5I2KQ"
OTHER_KEY = "UCRZZ4HMW72FVPECX7SMLA7C5UMKGWBSAU4SRHFJKZEWC4RWY26NWQFZ"
SITE = Site(name="branch-1", nkey=KEY, kbs=("policies", "fees"))


def test_a_fleet_that_is_written_is_read_as_the_same() -> None:
    hub = Hub(
        hosts=("hub.example.com", "10.0.0.1", "::1"),
        ports=Ports(websocket=443),
        store=StoreLimits(gb=100, memory_mb=512),
        tls=False,
        compression="s2_best",
    )
    other = Site(name="0", nkey=OTHER_KEY, link=LinkKind.WSS)
    fleet = Fleet(hub=hub, sites=(SITE, other))
    assert parse_fleet(render_fleet(fleet)) == fleet


def test_an_empty_file_is_a_hub_without_sites() -> None:
    assert parse_fleet("") == parse_fleet("sites:\n") == Fleet()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("hub: [", 0, "not YAML"),
        ("hub:\n  host: x", 2, "did you mean hosts?"),
        ("hub:\n  tls: yes please", 2, "true or false"),
        ("hub:\n  hosts: []", 2, "at least one host"),
        ("hub:\n  hosts: ['a b']", 2, "host name"),
        ("hub:\n  compression: s2", 2, "s2_fast"),
        ("hub:\n  ports:\n    leaf: 70000", 3, "from 1 to 65535"),
        ("hub:\n  ports:\n    leaf: 4222", 3, "one port twice"),
        ("hub:\n  store: {gb: 1}", 2, "a whole number"),
        ("sites: branch-1", 1, "must be a list"),
        ("sites:\n- name: x", 2, "has no nkey"),
        (f"sites:\n- name: Branch\n  nkey: {KEY}", 2, "lower-case"),
        (f"sites:\n- name: hub\n  nkey: {KEY}", 2, "name of the hub"),
        ("sites:\n- name: a\n  nkey: SUSECRET", 3, "public key"),
        (f"sites:\n- name: a\n  nkey: {KEY[:-1]}A\n", 3, "public key"),
        (f"sites:\n- name: a\n  nkey: {KEY}\n  kbs: [A]", 4, "lower-case"),
        (f"sites:\n- name: a\n  nkey: {KEY}\n  link: ws", 4, "leaf or wss"),
        (f"sites:\n- name: a\n  nkey: {KEY}\n  link: wss", 4, "no WebSocket port"),
        (f"sites:\n- name: a\n  nkey: {KEY}\n- name: a\n  nkey: {OTHER_KEY}", 4, "there twice"),
        (f"sites:\n- name: a\n  nkey: {KEY}\n- name: b\n  nkey: {KEY}", 4, "has the key of site a"),
        ("hub:\n  tls: true\n  tls: false", 3, "is there twice"),
    ],
)
def test_a_mistake_is_answered_with_its_line_and_a_mend(text: str, line: int, words: str) -> None:
    with pytest.raises(BadFleetError) as caught:
        parse_fleet(text)
    assert words in str(caught.value)
    assert caught.value.mend
    assert not line or f"line {line}:" in caught.value.message


def test_a_site_takes_the_place_of_an_earlier_one_of_its_name() -> None:
    fleet = Fleet().with_site(SITE).with_site(Site(name="b", nkey=OTHER_KEY))
    changed = fleet.with_site(Site(name="branch-1", nkey=KEY, kbs=()))
    assert [site.name for site in changed.sites] == ["branch-1", "b"]
    assert changed.sites[0].kbs == ()
    assert changed.without_site("branch-1").site("branch-1") is None


@pytest.mark.parametrize("name", ["hub", "", "A", "a.b", "-a", "a" * 32])
def test_a_name_that_can_not_be_a_site_is_refused(name: str) -> None:
    with pytest.raises(BadFleetError):
        checked_site_name(name)


def test_addresses_say_the_kind_of_link_and_whether_it_is_encrypted() -> None:
    hub = Hub(hosts=("hub.example.com", "::1"), ports=Ports(websocket=443))
    assert hub_urls(hub, LinkKind.LEAF) == ("tls://hub.example.com:7422", "tls://[::1]:7422")
    assert hub_urls(hub, LinkKind.WSS)[0] == "wss://hub.example.com:443"
    assert hub_urls(Hub(tls=False), LinkKind.LEAF) == ("nats-leaf://127.0.0.1:7422",)
    with pytest.raises(BadFleetError, match="no WebSocket port"):
        hub_urls(Hub(), LinkKind.WSS)


def test_a_key_with_one_character_changed_is_not_a_key() -> None:
    assert is_public_key(KEY)
    assert not is_public_key(KEY[:20] + ("A" if KEY[20] != "A" else "B") + KEY[21:])
    assert not is_public_key("A" + KEY[1:])
