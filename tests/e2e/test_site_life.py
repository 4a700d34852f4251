"""A site from its first start to its end, in processes as shipped."""

import json
import os
import signal
import stat
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.site import SiteUnderTest, run_causeway, running_site, wait_until

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]

BOUND_S = 60.0
WARRANTY = """# Heat pump

## Warranty

The compressor has a warranty of seven years.

## Noise

It makes 41 decibels.
"""


def ask(site: SiteUnderTest, question: str, kb: str = "docs") -> dict[str, object]:
    answer: dict[str, object] = site.run_json("ask", question, "--kb", kb)
    return answer


def test_a_site_answers_stops_on_ctrl_c_and_answers_again_after_a_restart(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "heat-pump.md").write_text(WARRANTY, encoding="utf-8")
    folder = tmp_path / "site"
    with running_site(folder) as site:
        site.run("publish", str(documents), "--kb", "docs")
        first = ask(site, "How long is the warranty of the compressor?")
        assert "seven years" in str(first["text"])
        assert not first["abstained"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "keys").iterdir()} == {0o600}
        assert site.stop(signal.SIGINT) == 0
        assert not (folder / "site.json").exists()
        assert site.left() == []

        site.start()
        again = ask(site, "How long is the warranty of the compressor?")
        assert again["text"] == first["text"]
        assert again["citations"] == first["citations"]
        assert site.stop(signal.SIGTERM) == 0
    assert b"seven years" not in b"".join(path.read_bytes() for path in (folder / "jetstream").rglob("*.blk"))


def test_a_second_site_in_the_same_folder_is_refused_with_the_process_that_holds_it(site: SiteUnderTest) -> None:
    assert site.process is not None
    run_causeway("up", "site", "--data", str(site.folder), "--port", "0", code=2)
    assert site.run_json("status")["site"] == "local"


def test_a_wrong_storage_key_is_refused_and_the_right_one_still_has_everything(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "heat-pump.md").write_text(WARRANTY, encoding="utf-8")
    folder = tmp_path / "site"
    with running_site(folder) as site:
        site.run("publish", str(documents), "--kb", "docs")
    key = folder / "keys" / "storage.key"
    right = key.read_text()
    key.write_text("k" + "0" * 64 + "\n")
    before = on_disk(folder / "jetstream")

    run_causeway("up", "site", "--data", str(folder), "--port", "0", code=2)
    assert on_disk(folder / "jetstream") == before

    # Without the check value, the canary is what stands between the wrong key and the data.
    identity = json.loads((folder / "identity.json").read_bytes())
    (folder / "identity.json").write_text(json.dumps(identity | {"storage_key_check": ""}))
    run_causeway("up", "site", "--data", str(folder), "--port", "0", code=2)

    (folder / "identity.json").unlink()
    run_causeway("up", "site", "--data", str(folder), "--port", "0", code=2)

    key.write_text(right)
    (folder / "identity.json").write_text(json.dumps(identity))
    with running_site(folder) as site:
        assert "seven years" in str(ask(site, "How long is the warranty of the compressor?")["text"])


@pytest.mark.slow
def test_a_new_storage_key_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "heat-pump.md").write_text(WARRANTY, encoding="utf-8")
    folder = tmp_path / "site"
    with running_site(folder) as site:
        site.run("publish", str(documents), "--kb", "docs")
    key, old = folder / "keys" / "storage.key", tmp_path / "old.key"
    key.rename(old)
    key.write_text("k" + "0" * 64 + "\n")
    key.chmod(0o600)
    with running_site(folder, "--previous-storage-key", str(old)):
        pass
    with running_site(folder) as site:
        assert "seven years" in str(ask(site, "How long is the warranty of the compressor?")["text"])
    old.rename(key)
    run_causeway("up", "site", "--data", str(folder), "--port", "0", code=2)


def on_disk(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}


def test_a_lost_key_is_never_replaced_by_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    with running_site(folder):
        pass
    (folder / "keys" / "vault.key").unlink()
    run_causeway("up", "site", "--data", str(folder), "--port", "0", code=2)
    assert not (folder / "keys" / "vault.key").exists()


def test_nothing_of_a_site_outlives_its_killed_supervisor(tmp_path: Path) -> None:
    site = SiteUnderTest(tmp_path / "site").start()
    assert site.process is not None
    site.process.send_signal(signal.SIGKILL)
    site.process.wait(BOUND_S)
    wait_until(lambda: not site.left(), BOUND_S, "every process of the site to end")
    run_causeway("status", "--data-dir", str(site.folder), code=3)
    site.start()
    assert site.stop() == 0


def test_a_killed_service_is_started_again_and_the_site_goes_on(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "heat-pump.md").write_text(WARRANTY, encoding="utf-8")
    with running_site(tmp_path / "site") as site:
        for name, pid in site.pids().items():
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda name=name, pid=pid: site.pids().get(name) not in (None, pid), BOUND_S, f"a new {name}")
        site.run("publish", str(documents), "--kb", "docs")
        assert "seven years" in str(ask(site, "How long is the warranty of the compressor?")["text"])
        site.seen |= site.family()


def test_every_socket_of_a_site_is_on_loopback(site: SiteUnderTest) -> None:
    outside = []
    for pid in site.family():
        # One that lives for a moment only may be gone.
        with suppress(psutil.NoSuchProcess):
            for connection in psutil.Process(pid).net_connections(kind="inet"):
                addresses = [address.ip for address in (connection.laddr, connection.raddr) if address]
                outside += [ip for ip in addresses if not ip.startswith("127.")]
    assert outside == []
