"""One Milvus Lite with a small shelf for the whole run of these tests; NATS and the service are of each test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud_hub import encoder, fill
from tests.support.milvus_servers import EmbeddedMilvus, embedded_milvus


@pytest.fixture(scope="session")
def shared_milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMilvus]:
    """A Milvus that holds SHARED. Whoever kills it starts it again."""
    root: Path = tmp_path_factory.mktemp("milvus")
    with embedded_milvus(root) as milvus:
        asyncio.run(fill(milvus.uri, encoder()))
        yield milvus


@pytest.fixture
def shared_shelf(shared_milvus: EmbeddedMilvus) -> str:
    """The address of it."""
    return shared_milvus.uri
