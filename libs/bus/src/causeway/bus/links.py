"""What an operator does at the servers of a hub: seeing links, ending one, reading accounts again. Only the hub may."""

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nats.errors

from causeway.bus.errors import ConfigurationRefused, NoResponders, RequestTimeout

if TYPE_CHECKING:
    from causeway.bus.bus import Bus

ASK_SUBJECT = "$SYS.REQ.SERVER.PING.LEAFZ"
# Every server of a cluster replies for itself, and none says how many there are.
FIRST_S = 10.0
FURTHER_S = 0.2
RELOAD_S = 10.0
# After one reload the server takes requests of an account that is new, and its replies do not find their way back;
# after the second they do. Seen with nats-server 2.15.1.
RELOADS = 2


@dataclass(frozen=True, kw_only=True)
class LeafLink:
    """One connection. `account` is the site's account at the hub, `name` what the site's server calls itself."""

    account: str
    name: str
    server_id: str
    connection_id: int
    compression: str
    bytes_in: int
    bytes_out: int


async def leaf_links(bus: "Bus") -> tuple[LeafLink, ...]:
    """The connections that there are now.

    Raises:
        NoResponders: this account may not ask: it is not that of a hub. RequestTimeout: no server replies.
    """
    return tuple(link for page in await _pages(bus) for link in _links(page))


async def _pages(bus: "Bus") -> list[dict[str, Any]]:
    inbox = bus.client.new_inbox()
    replies = await bus.client.subscribe(inbox)
    found: list[dict[str, Any]] = []
    try:
        await bus.client.publish(ASK_SUBJECT, b"{}", reply=inbox)
        while True:
            message = await replies.next_msg(timeout=FURTHER_S if found else FIRST_S)
            if (message.headers or {}).get("Status") == "503":
                raise NoResponders(ASK_SUBJECT)
            found.append(json.loads(message.data)["data"])
    except (TimeoutError, nats.errors.TimeoutError) as error:
        if not found:
            raise RequestTimeout(f"{ASK_SUBJECT}: no server of the hub replied within {FIRST_S:g} s") from error
    finally:
        await replies.unsubscribe()
    return found


def _links(page: dict[str, Any]) -> list[LeafLink]:
    return [
        LeafLink(
            account=row["account"],
            name=row.get("name", ""),
            server_id=page["server_id"],
            connection_id=row["id"],
            compression=row.get("compression", ""),
            bytes_in=row["in_bytes"],
            bytes_out=row["out_bytes"],
        )
        for row in page.get("leafs") or ()
    ]


async def end_leaf_links(bus: "Bus", account: str) -> int:
    """End the connections of an account, and return how many there were. A site whose account is still there comes back
    within seconds.

    Raises:
        NoResponders: this account may not ask: it is not that of a hub. RequestTimeout: no server replies.
    """
    theirs = [link for link in await leaf_links(bus) if link.account == account]
    await asyncio.gather(*(_end(bus, link) for link in theirs))
    return len(theirs)


async def _end(bus: "Bus", link: LeafLink) -> None:
    request = json.dumps({"cid": link.connection_id}).encode()
    await _request(bus, f"$SYS.REQ.SERVER.{link.server_id}.KICK", request, FIRST_S)


async def _request(bus: "Bus", subject: str, body: bytes, timeout_s: float) -> bytes:
    try:
        return (await bus.client.request(subject, body, timeout=timeout_s)).data
    except (TimeoutError, nats.errors.TimeoutError) as error:
        raise RequestTimeout(f"{subject} after {timeout_s:g} s") from error


async def reload_servers(bus: "Bus") -> None:
    """Have every server of the hub read its configuration files again. No good connection ends.

    Raises:
        NoResponders: this account may not ask: it is not that of a hub. RequestTimeout: no server replies.
        ConfigurationRefused: a server can not use the files.
    """
    for page in await _pages(bus):
        for _ in range(RELOADS):
            subject = f"$SYS.REQ.SERVER.{page['server_id']}.RELOAD"
            reply = json.loads(await _request(bus, subject, b"{}", RELOAD_S))
            if "error" in reply:
                raise ConfigurationRefused(str(reply["error"].get("description", "")))
