"""One Milvus Lite with a small shelf for the whole run of these tests; NATS and the service are of each test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud_hub import encoder, fill
from tests.support.milvus_servers import embedded_milvus


@pytest.fixture(scope="session")
def shared_shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Milvus that holds SHARED."""
    root: Path = tmp_path_factory.mktemp("milvus")
    with embedded_milvus(root) as milvus:
        asyncio.run(fill(milvus.uri, encoder()))
        yield milvus.uri
