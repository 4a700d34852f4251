"""What a hub hands to a site so that it can join: one file, which is a secret, since it holds the site's keys."""

import re
from pathlib import Path
from typing import Self

import msgspec

from causeway.proto.subjects import HUB, SITE_NAME
from causeway.topology import pki
from causeway.topology.description import COMPRESSIONS
from causeway.topology.errors import BadBundleError, BadKeyFileError
from causeway.topology.secret_files import read_secret, write_secret
from causeway.topology.site_keys import public_key

FORMAT = "causeway join bundle 1"
_URL = re.compile(r"(tls|nats-leaf|wss|ws)://[^/\s@]+:\d{1,5}")
_MEND = "Make it anew at the hub with `causeway site add`, and copy it whole."


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The hub's addresses, and all that the site needs to be let in. Without TLS, the three PEM texts are empty."""

    format: str = FORMAT
    site: str
    kbs: list[str]
    urls: list[str]
    compression: str = "s2_fast"
    seed: str
    authority: str = ""
    certificate: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Bundle(site={self.site!r}, urls={self.urls!r})"

    @property
    def tls(self) -> bool:
        """Whether the link is encrypted."""
        return bool(self.authority)

    def write(self, path: Path) -> None:
        """Write the file, mode 0600."""
        write_secret(path, msgspec.json.format(msgspec.json.encode(self)) + b"\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The bundle in a file, checked.

        Raises:
            BadBundleError: not a whole bundle of this format. BadKeyFileError: not there, or readable by others.
        """
        try:
            bundle = msgspec.json.decode(read_secret(path), type=cls)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise BadBundleError(f"{path} is not a join bundle: {error}", _MEND) from error
        if problem := _problem(bundle):
            raise BadBundleError(f"{path}: {problem}", _MEND)
        return bundle


def _problem(bundle: Bundle) -> str:
    if bundle.format != FORMAT:
        return f"its format is {bundle.format!r}, this version reads {FORMAT!r}"
    if not SITE_NAME.fullmatch(bundle.site) or bundle.site == HUB:
        return f"{bundle.site!r} can not be a site"
    if not bundle.urls or not all(_URL.fullmatch(url) for url in bundle.urls):
        return "it has no address of a hub"
    if bundle.compression not in COMPRESSIONS:
        return f"{bundle.compression!r} is not a compression"
    return _key_problem(bundle)


def _key_problem(bundle: Bundle) -> str:
    try:
        public_key(bundle.seed)
        secured = (bundle.authority, bundle.certificate, bundle.key)
        if any(secured) and not all(secured):
            return "authority, certificate and key must be there together"
        if any(url.startswith(("tls:", "wss:")) for url in bundle.urls) and not all(secured):
            return "its addresses are encrypted and it has no certificate"
        if bundle.certificate and not pki.is_issued_by(bundle.certificate.encode(), bundle.authority.encode()):
            return "its certificate is of another authority"
        if bundle.key and not pki.is_pair(bundle.certificate.encode(), bundle.key.encode()):
            return "its key does not belong to its certificate"
    except BadKeyFileError as error:
        return error.message
    return ""
