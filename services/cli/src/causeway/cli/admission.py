"""Whether a site folder may be started with a configuration and a storage key. Pure."""

from causeway.cli.errors import SiteFolderError
from causeway.cli.site_folder import SiteIdentity


def admit(known: SiteIdentity | None, wanted: SiteIdentity, holds_streams: bool) -> bool:
    """True when streams may be made from nothing; False when they must all be there already.

    Raises:
        SiteFolderError: the folder is another site's, or was encrypted with another key: a start would lose data.
    """
    if known is None:
        return not holds_streams
    if known.site != wanted.site:
        raise SiteFolderError(
            f"this folder is the site {known.site!r}, not {wanted.site!r}",
            f"Start it with --name {known.site}, or give the new site a folder of its own with --data.",
        )
    if known.encryption and not wanted.encryption:
        raise SiteFolderError(
            "this folder is encrypted, and security.encryption is false",
            "Set security.encryption to true; without the key nothing in it can be read. Nothing was touched.",
        )
    if known.encryption and known.storage_key_check and known.storage_key_check != wanted.storage_key_check:
        raise SiteFolderError(
            "the storage key is not the one that this site was made with",
            "Put the right storage.key back (or CAUSEWAY_STORAGE_KEY) and start again. Nothing was started or touched.",
        )
    return not known.declared
