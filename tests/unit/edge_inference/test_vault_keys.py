"""Keys come from the operator: a wrong or missing one refuses and touches nothing, and both kinds can be rotated."""

import base64
import hashlib
import os
from pathlib import Path

import pytest

from causeway.edge_inference.errors import (
    KeyFileOpenError,
    KeyMalformedError,
    KeyMissingError,
    KeyringMissingError,
    KeyWrongError,
    VaultBusyError,
)
from causeway.edge_inference.keys import Keyring, parse_key, read_key_file, unwrap_keyring, wrap_keyring, write_key_file
from causeway.edge_inference.rotation import NoVaultError, Resealing, rotate_data_key, rotate_kek
from causeway.edge_inference.vault_folder import locked, open_keyring
from causeway.edge_inference.vault_reader import VaultReader
from tests.support.knowledge_builders import KB, KEK, chunk_id, document, open_vault

OTHER = bytes(reversed(range(32)))


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """The bytes and times of every file."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in folder.iterdir()
    }


def test_a_key_is_read_in_hex_or_base64() -> None:
    assert parse_key(KEK.hex() + "\n", "x") == KEK
    assert parse_key(base64.b64encode(KEK).decode(), "x") == KEK


@pytest.mark.parametrize("text", ["", "short", "zz" * 32, KEK.hex()[:-2], base64.b64encode(KEK + b"1").decode()])
def test_anything_else_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(KeyMalformedError, match="32 bytes in hex"):
        parse_key(text, "the file k")


def test_a_key_file_that_others_may_read_is_refused_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    write_key_file(path, KEK)
    assert read_key_file(path) == KEK
    path.chmod(0o640)
    with pytest.raises(KeyFileOpenError, match="chmod 600"):
        read_key_file(path)
    with pytest.raises(FileExistsError):
        write_key_file(path, OTHER)


def test_a_missing_key_file_is_refused_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(KeyMissingError, match="create-key"):
        read_key_file(tmp_path / "none")


def test_the_keyring_holds_no_key_in_clear_and_can_not_be_moved_to_another_vault() -> None:
    ring = Keyring.create()
    wrapped = wrap_keyring(ring, KEK)
    assert unwrap_keyring(wrapped, KEK, "v") == ring
    for secret in (KEK, ring.active.secret, ring.index_key):
        assert base64.b64encode(secret) not in wrapped
        assert secret not in wrapped
    with pytest.raises(KeyWrongError):
        unwrap_keyring(wrapped.replace(ring.vault_id.encode(), Keyring.create().vault_id.encode()), KEK, "v")


def test_a_wrong_key_refuses_and_leaves_every_byte_as_it_was(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    before = contents(tmp_path)
    assert "vault.db-wal" in before
    with pytest.raises(KeyWrongError, match="nothing was changed"):
        open_vault(tmp_path, kek=OTHER)
    assert contents(tmp_path) == before
    vault.close()
    assert open_vault(tmp_path).counts() == (1, 1)


def test_records_without_their_keyring_refuse_and_are_left_alone(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    vault.close()
    keyring = (tmp_path / "keyring.json").read_bytes()
    (tmp_path / "keyring.json").unlink()
    before = contents(tmp_path)
    with pytest.raises(KeyringMissingError, match=r"Restore keyring\.json"):
        open_vault(tmp_path)
    assert contents(tmp_path) == before
    (tmp_path / "keyring.json").write_bytes(keyring)
    open_vault(tmp_path).verify()


def test_files_of_a_new_vault_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    old = os.umask(0o022)
    try:
        with locked(folder):
            open_vault(folder).apply(document("a", ["one"], number=1, seq=1))
            assert folder.stat().st_mode & 0o077 == 0
            for name in ("keyring.json", "vault.db", "vault.lock"):
                assert (folder / name).stat().st_mode & 0o077 == 0, name
    finally:
        os.umask(old)


def test_a_new_key_encryption_key_opens_the_same_records_and_the_old_one_no_longer_does(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one"], number=1, seq=1))
    vault.close()
    records = (tmp_path / "vault.db").read_bytes()
    rotate_kek(tmp_path, KEK, OTHER)
    assert (tmp_path / "vault.db").read_bytes() == records
    with pytest.raises(KeyWrongError):
        open_vault(tmp_path)
    again = open_vault(tmp_path, kek=OTHER)
    again.verify()
    assert VaultReader(again).chunk(KB, chunk_id("one")) is not None


def test_a_new_data_key_seals_what_is_new_and_the_rest_step_by_step(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    texts = [f"text {number}" for number in range(20)]
    vault.apply(document("a", texts, number=1, seq=1))
    vault.close()
    old = open_keyring(tmp_path, KEK).active.kid
    rotate_data_key(tmp_path, KEK, now=False)

    vault = open_vault(tmp_path)
    assert vault.ring.active.kid != old
    reader = VaultReader(vault)
    resealing = Resealing(vault, KEK, rows_per_step=7)
    steps = 0
    while not resealing.step():
        steps += 1
        vault.apply(document(f"b{steps}", [f"new {steps}"], number=steps, seq=100 + 2 * steps))
        assert all(reader.chunk(KB, chunk_id(text)) is not None for text in texts)
    assert steps >= 3
    assert [key.kid for key in open_keyring(tmp_path, KEK).data_keys] == [vault.ring.active.kid]
    vault.close()
    again = open_vault(tmp_path)
    again.verify()
    assert len(list(VaultReader(again).named_chunks(KB))) == 20 + steps


def test_a_data_key_can_be_rotated_at_once_while_the_service_is_stopped(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    vault.apply(document("a", ["one", "two"], number=1, seq=1))
    vault.close()
    old = open_keyring(tmp_path, KEK).active.kid
    rotate_data_key(tmp_path, KEK, now=True)
    assert old not in {key.kid for key in open_keyring(tmp_path, KEK).data_keys}
    open_vault(tmp_path).verify()


def test_rotation_refuses_while_another_process_has_the_vault_open(tmp_path: Path) -> None:
    open_vault(tmp_path).close()
    with locked(tmp_path):
        with pytest.raises(VaultBusyError, match=f"process {os.getpid()}: stop"):
            rotate_kek(tmp_path, KEK, OTHER)
        with pytest.raises(VaultBusyError):
            rotate_data_key(tmp_path, KEK, now=True)
    with pytest.raises(NoVaultError, match="no vault"):
        rotate_kek(tmp_path / "elsewhere", KEK, OTHER)


def test_a_wrong_key_rotates_nothing(tmp_path: Path) -> None:
    open_vault(tmp_path).close()
    before = (tmp_path / "keyring.json").read_bytes()
    with pytest.raises(KeyWrongError):
        rotate_kek(tmp_path, OTHER, KEK)
    assert (tmp_path / "keyring.json").read_bytes() == before
