"""The folder of a site and its key files."""

import os
import stat
from pathlib import Path

import pytest

from causeway.cli.errors import NoSiteError, SiteFolderError
from causeway.cli.keys import SiteKeys, key_check, make_missing, read_secret
from causeway.cli.site_folder import SiteFolder, SiteIdentity, SiteRecord


def test_key_files_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    keys = SiteKeys(tmp_path / "keys")
    assert set(make_missing(keys, initialised=False)) == set(keys.all())
    first = {path: path.read_text() for path in keys.all()}
    assert make_missing(keys, initialised=True) == []
    assert {path: path.read_text() for path in keys.all()} == first
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.all()} == {0o600}
    assert len(set(first.values())) == len(first)


def test_secrets_for_nats_server_begin_with_a_letter_and_the_others_are_32_bytes_in_hex(tmp_path: Path) -> None:
    keys = SiteKeys(tmp_path)
    make_missing(keys, initialised=False)
    assert read_secret(keys.storage)[0].isalpha()
    assert read_secret(keys.password)[0].isalpha()
    assert len(bytes.fromhex(read_secret(keys.vault))) == 32
    assert len(bytes.fromhex(read_secret(keys.chunk))) == 32


def test_a_lost_key_of_an_initialised_site_is_never_replaced_by_a_new_one(tmp_path: Path) -> None:
    keys = SiteKeys(tmp_path)
    make_missing(keys, initialised=False)
    keys.storage.unlink()
    with pytest.raises(SiteFolderError, match=r"storage\.key is gone"):
        make_missing(keys, initialised=True)
    assert not keys.storage.exists()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys = SiteKeys(tmp_path)
    make_missing(keys, initialised=False)
    keys.vault.chmod(0o640)
    with pytest.raises(SiteFolderError, match="can be read by others") as caught:
        read_secret(keys.vault)
    assert caught.value.mend == f"Run: chmod 600 {keys.vault}"


def test_the_key_check_differs_from_key_to_key_and_is_not_the_key() -> None:
    assert key_check("a" * 32) == key_check("a" * 32) != key_check("b" * 32)
    assert key_check("a" * 32) not in "a" * 32


def test_a_second_holder_of_a_folder_is_refused_and_told_the_process(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    with folder.held(), pytest.raises(SiteFolderError, match=f"process {os.getpid()}"), SiteFolder(tmp_path).held():
        pass
    with folder.held():
        pass


def test_the_identity_survives_and_says_whether_the_streams_are_there(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    assert folder.identity() is None
    identity = SiteIdentity(site="a", encryption=True, storage_key_check="c", declared=True)
    folder.write_identity(identity)
    assert folder.identity() == identity


def test_a_broken_identity_is_not_taken_for_a_fresh_folder(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    folder.identity_file.write_text("{")
    with pytest.raises(SiteFolderError, match="can not be read"):
        folder.identity()


def test_without_a_running_site_the_person_is_told_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NoSiteError) as caught:
        SiteFolder(tmp_path).read_record()
    assert "causeway up site" in caught.value.mend


def test_the_record_of_a_killed_site_is_not_believed(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    record = SiteRecord(
        site="a", url="", user="", password_file="", monitor_url="", metrics_urls={}, pid=1, pids={}, started_unix_s=0
    )
    with folder.held():
        folder.write_record(record)
        assert SiteFolder(tmp_path).read_record() == record
        kept = folder.record_file.read_bytes()
    folder.record_file.write_bytes(kept)
    with pytest.raises(NoSiteError, match="no site is running"):
        folder.read_record()
