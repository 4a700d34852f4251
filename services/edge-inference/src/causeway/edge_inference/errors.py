"""What can go wrong at an edge site's vault and indexes, each with the mend in its message.

EdgeError
├── VaultError
│   ├── KeyMissingError        no key was given
│   ├── KeyMalformedError      the key is not 32 bytes in hex or base64
│   ├── KeyFileOpenError       others may read the key file
│   ├── KeyWrongError          the key is not the one that the vault was made with
│   ├── KeyringMissingError    records without the keyring that opens them
│   ├── VaultBusyError         another process has the vault open
│   ├── VaultTamperedError     a record is not what was sealed
│   └── VaultVersionError      written by another version of the software
└── GenerationError            the local model gave no usable text
"""


class EdgeError(Exception):
    """an error of the edge-inference service"""

    def __init__(self, **facts: object) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()).format(**facts))
        self.facts = facts

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.facts))


def _rebuild(kind: type[EdgeError], facts: dict[str, object]) -> EdgeError:
    return kind(**facts)


class VaultError(EdgeError):
    """the vault can not be used"""


class KeyMissingError(VaultError):
    """no vault key: {where}. Give the key as EDGE_INFERENCE_VAULT_KEY_FILE (a file of mode 0600 with 32 bytes in hex
    or base64) or EDGE_INFERENCE_VAULT_KEY; `edge-inference create-key PATH` makes one for a new vault. Nothing was
    changed."""


class KeyMalformedError(VaultError):
    """the vault key in {where} is not 32 bytes in hex (64 digits) or base64 (44 characters): copy it again, or make one
    with `edge-inference create-key PATH`. Nothing was changed."""


class KeyFileOpenError(VaultError):
    """the key file {path} has mode {mode}, so others may read it: run `chmod 600 {path}`. Nothing was changed."""


class KeyWrongError(VaultError):
    """the key does not open the vault at {vault}, and nothing was changed. Give the key that the vault was made with
    (or was last rotated to). If that key is lost, move the folder away: a new vault fills itself again from the
    KNOWLEDGE stream."""


class KeyringMissingError(VaultError):
    """{vault} holds records but no keyring.json, without which nothing can be read. Restore keyring.json from a backup,
    or move the folder away: a new vault fills itself again from the KNOWLEDGE stream."""


class VaultBusyError(VaultError):
    """the vault at {vault} is open in process {pid}: stop that process first, then run this again."""


class VaultTamperedError(VaultError):
    """{what} in the vault at {vault} is not what was sealed: it was changed or damaged. Move the folder away, and a
    new vault fills itself again from the KNOWLEDGE stream; keep the old folder to find out what happened."""


class VaultVersionError(VaultError):
    """the vault at {vault} has layout {found} and this software reads layout {expected}: run the version that wrote it,
    or move the folder away, and a new vault fills itself again from the KNOWLEDGE stream."""


class GenerationError(EdgeError):
    """the local model gave no answer: {reason}"""
