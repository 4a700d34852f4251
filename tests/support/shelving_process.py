"""Shelving as a process of its own, to be killed: the url of nats-server, the address of Milvus, and before which
writing of the position it kills itself (0: never)."""

import asyncio
import os
import signal
import sys

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings
from causeway.milvus.shelf import MilvusShelf
from causeway.milvus.values import ShelfPosition
from causeway.sync_delta.shelving import Shelving


class Killing(MilvusShelf):
    """Ends the process between the effects of a batch and its position."""

    def __init__(self, uri: str, before: int) -> None:
        super().__init__(uri)
        self._left = before

    async def put_position(self, position: ShelfPosition) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().put_position(position)


async def main(url: str, uri: str, before: int) -> None:
    """Follow until killed."""
    async with Bus(BusSettings(url=url, site="hub", service="sync-delta")) as bus:
        Shelving(bus, Killing(uri, before), registry=CollectorRegistry(), batch_messages_max=40)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
