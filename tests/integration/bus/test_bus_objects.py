"""Objects over a real server: whole or not at all, also across a kill, and readable by any client."""

import hashlib
import io
import os
from pathlib import Path

import pytest
from nats.js.errors import ObjectNotFoundError

from causeway.bus import ObjectDamaged, ObjectMissing, ObjectTooLarge
from causeway.proto.documents import ObjectRef
from tests.support.buses import declared_bus, raw_client
from tests.support.nats_server import NatsServer

BODY = os.urandom(3_000_001)


async def test_an_object_comes_back_as_it_was_and_other_clients_read_it_too(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    path = tmp_path / "body"
    path.write_bytes(BODY)
    stored: list[int] = []
    async with declared_bus(nats_server) as bus, raw_client(nats_server) as (_, js):
        ref = await bus.put_object("BODIES", "kb/名字", path, progress=stored.append)
        assert ref.size_bytes == len(BODY) == stored[-1]
        assert ref.sha256 == hashlib.sha256(BODY).hexdigest()
        await bus.get_object(ref, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == BODY
        into = io.BytesIO()
        await (await js.object_store("BODIES")).get("kb/名字", writeinto=into)
        assert into.getvalue() == BODY
        await bus.delete_object(ref)
        await bus.delete_object(ref)
        with pytest.raises(ObjectMissing):
            await bus.get_object(ref, tmp_path / "gone")
        with pytest.raises(ObjectNotFoundError):
            await (await js.object_store("BODIES")).get_info("kb/名字")
        assert not (tmp_path / "gone").exists()


async def test_an_object_of_another_client_is_readable(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_bus(nats_server) as bus, raw_client(nats_server) as (_, js):
        await (await js.object_store("BODIES")).put("theirs", BODY)
        digest = hashlib.sha256(BODY).hexdigest()
        ref = ObjectRef(bucket="BODIES", name="theirs", size_bytes=len(BODY), sha256=digest)
        await bus.get_object(ref, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == BODY


async def test_limits_and_damage_are_errors_and_leave_no_file(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_bus(nats_server) as bus:
        with pytest.raises(ObjectTooLarge):
            await bus.put_object("BODIES", "n", BODY, bytes_max=1000)
        ref = await bus.put_object("BODIES", "n", BODY)
        with pytest.raises(ObjectTooLarge):
            await bus.get_object(ref, tmp_path / "o", bytes_max=1000)
        wrong = ObjectRef(bucket="BODIES", name="n", size_bytes=ref.size_bytes, sha256="00")
        with pytest.raises(ObjectDamaged):
            await bus.get_object(wrong, tmp_path / "o")
    assert list(tmp_path.glob("o*")) == []  # noqa: ASYNC240


async def test_replacing_an_object_frees_what_it_replaced(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_bus(nats_server) as bus:
        await bus.put_object("BODIES", "n", BODY)
        ref = await bus.put_object("BODIES", "n", b"short")
        assert (await bus.broker.js.stream_info("OBJ_BODIES")).state.bytes < 10_000
        await bus.get_object(ref, tmp_path / "o")
        assert (tmp_path / "o").read_bytes() == b"short"


async def test_a_put_that_meets_a_kill_of_the_server_is_whole(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_bus(nats_server) as bus:
        killed = False

        def kill_once(stored: int) -> None:
            nonlocal killed
            if stored > 1_000_000 and not killed:
                killed = True
                nats_server.kill()
                nats_server.start()

        ref = await bus.put_object("BODIES", "n", BODY, progress=kill_once)
        assert killed
        await bus.get_object(ref, tmp_path / "o")
        assert (tmp_path / "o").read_bytes() == BODY


async def test_an_empty_object_is_an_object(nats_server: NatsServer, tmp_path: Path) -> None:
    async with declared_bus(nats_server) as bus:
        ref = await bus.put_object("BODIES", "empty", b"")
        await bus.get_object(ref, tmp_path / "o")
        assert (tmp_path / "o").read_bytes() == b""
