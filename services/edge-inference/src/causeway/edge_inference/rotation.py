"""Changes the keys of a vault: a new key-encryption key rewraps the ring, a new data key seals what is written next."""

from collections.abc import Callable
from pathlib import Path

from causeway.edge_inference.errors import VaultError
from causeway.edge_inference.keys import Keyring, unwrap_keyring
from causeway.edge_inference.vault import Vault
from causeway.edge_inference.vault_folder import KEYRING, locked, open_keyring, save_keyring

RESEAL_ROWS_PER_STEP = 500
# Random 96-bit nonces are safe for 2^32 records per key (NIST SP 800-38D, 8.3); a new key comes long before.
SEALS_PER_KEY_MAX = 1 << 30


Progress = Callable[[int, int], None]


class NoVaultError(VaultError):
    """there is no vault at {vault}: check EDGE_INFERENCE_VAULT_PATH"""


def rotate_kek(folder: Path, old: bytes, new: bytes) -> None:
    """Wrap the ring with another key. Records stay as they are, so this takes milliseconds at any size.

    Raises:
        VaultBusyError: the service runs. KeyWrongError: `old` is not the vault's key. NoVaultError: nothing is there.
    """
    _check_there(folder)
    with locked(folder):
        save_keyring(folder, unwrap_keyring((folder / KEYRING).read_bytes(), old, folder), new)


def rotate_data_key(folder: Path, kek: bytes, *, now: bool, progress: Progress | None = None) -> None:
    """Add a data key. What is sealed already is sealed again by the running service, step by step, or here and now.

    Raises:
        VaultBusyError: the service runs. KeyWrongError: `kek` is not the vault's key. NoVaultError: nothing is there.
    """
    _check_there(folder)
    with locked(folder):
        ring = open_keyring(folder, kek).with_new_key()
        save_keyring(folder, ring, kek)
        if now:
            vault = Vault(folder, ring)
            resealing = Resealing(vault, kek)
            while not resealing.step():
                if progress is not None:
                    progress(resealing.row, resealing.last_row)
            vault.close()


class Resealing:
    """The slow half of a data key's rotation, in bounded steps between which others write.

    Safe to stop anywhere: a key leaves the ring only after every row that it sealed is on disk under the new one.
    """

    def __init__(self, vault: Vault, kek: bytes, rows_per_step: int = RESEAL_ROWS_PER_STEP) -> None:
        self.row = 0
        self.last_row = vault.last_row()
        self._vault = vault
        self._kek = kek
        self._rows_per_step = rows_per_step

    @property
    def needed(self) -> bool:
        """Whether the ring still has a key that is being retired."""
        return len(self._vault.ring.data_keys) > 1

    def step(self) -> bool:
        """Seal the next rows again. Returns whether all is done and the retired keys are gone."""
        if self.needed:
            self.row = self._vault.reseal(self.row, self._rows_per_step)
            if self.row >= self.last_row:
                self._retire()
        return not self.needed

    def _retire(self) -> None:
        # The commits must outlive a power cut before the old key may go.
        self._vault.checkpoint()
        ring = self._vault.ring.without_retired()
        save_keyring(self._vault.folder, ring, self._kek)
        self._vault.use_ring(ring)


def renew_spent_key(vault: Vault, kek: bytes) -> bool:
    """Add a data key when the active one has sealed as many records as it should. Returns whether it did."""
    if vault.state.seals < SEALS_PER_KEY_MAX:
        return False
    ring: Keyring = vault.ring.with_new_key()
    save_keyring(vault.folder, ring, kek)
    vault.use_ring(ring)
    return True


def _check_there(folder: Path) -> None:
    if not (folder / KEYRING).exists():
        raise NoVaultError(vault=folder)
