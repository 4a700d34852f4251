"""Reads model files from the Hugging Face hub over HTTPS, at one revision."""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlsplit

from causeway.models.errors import ModelMissing, ModelUnfetchable
from causeway.models.registry import HubSource
from causeway.models.settings import Hub

READ_TIMEOUT_S = 60
_COPY_BYTES = 1 << 20


def hub_address(source: HubSource, endpoint: str) -> str:
    """The address that serves a file's bytes."""
    return f"{endpoint.rstrip('/')}/{source.repository}/resolve/{quote(source.revision, safe='')}/{quote(source.path)}"


def write_hub_file(source: HubSource, target: Path, hub: Hub, *, online: bool) -> None:
    """Downloads the file into `target`.

    Raises ModelMissing when fetching was not asked for and ModelUnfetchable when the hub does not answer with the file.
    """
    if not online:
        raise ModelMissing(
            f"{source.repository} is on the hub and fetching was not asked for; run `causeway model fetch`."
        )
    address = hub_address(source, hub.endpoint)
    if urlsplit(address).scheme not in ("https", "http"):
        raise ModelUnfetchable(f"HF_ENDPOINT gives {address}, which is no http address; mend it or unset it.")
    request = urllib.request.Request(address)  # noqa: S310 - the scheme is checked above.
    if hub.token:
        # Unredirected: the hub sends readers on to other hosts, which must not see the token.
        request.add_unredirected_header("Authorization", f"Bearer {hub.token}")
    try:
        with urllib.request.urlopen(request, timeout=READ_TIMEOUT_S) as reply, target.open("wb") as file:  # noqa: S310
            shutil.copyfileobj(reply, file, _COPY_BYTES)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise ModelUnfetchable(
            f"{address} can not be read: {error}. Check the network, set HF_ENDPOINT to a mirror, "
            "or name a local path in a registry file."
        ) from error
