"""The certificates of a fleet: an authority of its own, the hub's certificate and one for each site (EC P-256). Pure.

A certificate opens the TLS connection; who a site is says its key (`site_keys`), and removing its account cuts it off.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature as _InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from causeway.topology.errors import BadKeyFileError

AUTHORITY_DAYS = 3_650
SERVER_DAYS = 397
SITE_DAYS = 397
RENEW_DAYS = 60
"""A certificate that has fewer days left is made anew at the next start."""
# Clocks of sites differ; one that is an hour slow must still accept a new certificate.
_SLOW_CLOCK = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A certificate and its key, both PEM. The key is a secret."""

    certificate: bytes
    key: bytes = field(repr=False)


def new_authority(name: str, *, now: datetime, days: int = AUTHORITY_DAYS) -> Credentials:
    """An authority that signs certificates of one fleet and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Causeway authority of {name}")])
    usage = _usage(signs=True)
    builder = _builder(subject, subject, key, now, days).add_extension(usage, critical=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _credentials(builder.sign(key, hashes.SHA256()), key)


def server_certificate(
    authority: Credentials, hosts: Sequence[str], *, now: datetime, days: int = SERVER_DAYS
) -> Credentials:
    """The hub's certificate, for the names and addresses that sites reach it by."""
    return _issue(authority, "hub", [_host(host) for host in hosts], ExtendedKeyUsageOID.SERVER_AUTH, now, days)


def site_certificate(authority: Credentials, site: str, *, now: datetime, days: int = SITE_DAYS) -> Credentials:
    """A site's certificate, with which it connects and can not be a hub."""
    return _issue(authority, site, [x509.DNSName(site)], ExtendedKeyUsageOID.CLIENT_AUTH, now, days)


def expires(certificate: bytes) -> datetime:
    """When a certificate ends.

    Raises:
        BadKeyFileError: not a certificate in PEM.
    """
    return _loaded(certificate).not_valid_after_utc


def needs_renewal(certificate: bytes, *, now: datetime, days: int = RENEW_DAYS) -> bool:
    """Whether fewer than so many days are left."""
    return expires(certificate) - now < timedelta(days=days)


def covers(certificate: bytes, hosts: Sequence[str]) -> bool:
    """Whether a server's certificate has all these names."""
    names = _loaded(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return all(_host(host) in names for host in hosts)


def is_issued_by(certificate: bytes, authority: bytes) -> bool:
    """Whether this authority signed it."""
    try:
        _loaded(certificate).verify_directly_issued_by(_loaded(authority))
    except (ValueError, TypeError, x509.InvalidVersion, _InvalidSignature):
        return False
    return True


def is_pair(certificate: bytes, key: bytes) -> bool:
    """Whether the key is that of the certificate."""
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        return False
    return private.public_key() == _loaded(certificate).public_key()


def _issue(
    authority: Credentials,
    name: str,
    alternatives: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    now: datetime,
    days: int,
) -> Credentials:
    issuer = _loaded(authority.certificate)
    signer = serialization.load_pem_private_key(authority.key, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(subject, issuer.subject, key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return _credentials(builder.sign(signer, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLOW_CLOCK)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _loaded(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise BadKeyFileError("this is not a certificate in PEM", "Put the file back, or make it anew.") from error


def _credentials(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Credentials:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Credentials(certificate=certificate.public_bytes(serialization.Encoding.PEM), key=private)
