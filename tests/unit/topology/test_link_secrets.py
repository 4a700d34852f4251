"""Certificates, seeds and the join bundle: what is made can be used, what was touched is refused."""

import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from causeway.topology import pki
from causeway.topology.bundle import Bundle
from causeway.topology.errors import BadBundleError, BadKeyFileError
from causeway.topology.secret_files import read_secret, write_secret
from causeway.topology.site_keys import new_seed, public_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    authority: pki.Credentials
    site: pki.Credentials


@pytest.fixture(scope="module")
def made() -> Made:
    authority = pki.new_authority("tests", now=NOW)
    return Made(authority, pki.site_certificate(authority, "a", now=NOW))


def bundle(made: Made, **changes: Any) -> Bundle:
    values: dict[str, Any] = {
        "site": "a",
        "kbs": ["k"],
        "urls": ["tls://hub.example.com:7422"],
        "seed": new_seed(),
        "authority": made.authority.certificate.decode(),
        "certificate": made.site.certificate.decode(),
        "key": made.site.key.decode(),
    }
    return Bundle(**(values | changes))


def test_a_seed_makes_its_public_key_again() -> None:
    seed = new_seed()
    assert seed.startswith("SU")
    assert public_key(seed) == public_key(f" {seed}\n")
    for wrong in ("", "SU", seed[:-2], "SA" + seed[2:], "ä"):
        with pytest.raises(BadKeyFileError):
            public_key(wrong)


def test_a_renewed_certificate_is_of_the_same_authority(made: Made) -> None:
    assert pki.expires(made.site.certificate) == NOW + timedelta(days=pki.SITE_DAYS)
    assert not pki.needs_renewal(made.site.certificate, now=NOW)
    later = NOW + timedelta(days=pki.SITE_DAYS - pki.RENEW_DAYS + 1)
    assert pki.needs_renewal(made.site.certificate, now=later)
    renewed = pki.site_certificate(made.authority, "a", now=later)
    assert pki.is_issued_by(renewed.certificate, made.authority.certificate)
    assert not pki.needs_renewal(renewed.certificate, now=later)
    assert not pki.is_issued_by(renewed.certificate, pki.new_authority("others", now=NOW).certificate)


def test_a_site_certificate_can_not_be_a_server() -> None:
    authority = pki.new_authority("tests", now=NOW)
    server = pki.server_certificate(authority, ("hub.example.com", "10.0.0.1"), now=NOW)
    site = pki.site_certificate(authority, "a", now=NOW)
    uses = [
        x509.load_pem_x509_certificate(each.certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        for each in (server, site)
    ]
    assert [[use._name for use in each] for each in uses] == [["serverAuth"], ["clientAuth"]]
    assert pki.covers(server.certificate, ("10.0.0.1", "hub.example.com"))
    assert not pki.covers(server.certificate, ("10.0.0.2",))


def test_a_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "seed"
    write_secret(path, b"one")
    write_secret(path, b"two")
    assert read_secret(path) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["seed"]
    path.chmod(0o640)
    with pytest.raises(BadKeyFileError, match="chmod 600"):
        read_secret(path)
    with pytest.raises(BadKeyFileError, match="can not be read"):
        read_secret(tmp_path / "none")


def test_a_bundle_that_is_written_is_read_as_the_same(tmp_path: Path, made: Made) -> None:
    path = tmp_path / "a.bundle"
    whole = bundle(made)
    whole.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Bundle.read(path) == whole
    assert whole.seed not in repr(whole)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"site": "hub"}, "can not be a site"),
        ({"urls": []}, "no address"),
        ({"urls": ["http://hub:1"]}, "no address"),
        ({"urls": ["tls://user:password@hub:1"]}, "no address"),
        ({"seed": "SUnothing"}, "not a seed"),
        ({"key": ""}, "together"),
        ({"authority": "", "certificate": "", "key": ""}, "no certificate"),
        ({"certificate": "nothing"}, "not a certificate"),
        ({"format": "causeway join bundle 2"}, "this version reads"),
        ({"compression": "zip"}, "not a compression"),
    ],
)
def test_a_bundle_that_was_touched_is_refused(tmp_path: Path, made: Made, changes: dict[str, Any], words: str) -> None:
    path = tmp_path / "a.bundle"
    bundle(made, **changes).write(path)
    with pytest.raises(BadBundleError, match=words) as caught:
        Bundle.read(path)
    assert "site add" in caught.value.mend


def test_a_bundle_with_the_key_or_the_authority_of_another_is_refused(tmp_path: Path, made: Made) -> None:
    path = tmp_path / "a.bundle"
    bundle(made, key=pki.site_certificate(made.authority, "b", now=NOW).key.decode()).write(path)
    with pytest.raises(BadBundleError, match="key does not belong"):
        Bundle.read(path)
    bundle(made, authority=pki.new_authority("others", now=NOW).certificate.decode()).write(path)
    with pytest.raises(BadBundleError, match="another authority"):
        Bundle.read(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]", msgspec.json.encode({"site": 1})])
def test_what_is_not_a_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.bundle"
    write_secret(path, content)
    with pytest.raises(BadBundleError, match="not a join bundle"):
        Bundle.read(path)
