"""Whether a site folder may be started with a configuration and a storage key. Pure."""

from causeway.cli.errors import SiteFolderError
from causeway.cli.site_folder import SiteIdentity


def admit(
    known: SiteIdentity | None,
    wanted: SiteIdentity,
    holds_streams: bool,
    homeless: bool = False,
    previous_key_check: str = "",
) -> bool:
    """True when streams may be made from nothing; False when they must all be there already. `homeless` says that
    there are streams outside of any account.

    Raises:
        SiteFolderError: the folder is another site's, was encrypted with another key, or is of an earlier version: a
            start would lose data.
    """
    if homeless or (known is not None and known.version < wanted.version and known.declared):
        raise SiteFolderError(
            "this folder was made by an earlier version, and its streams can not be moved to where a link could reach "
            "them",
            "Start a new one with --data OTHER and publish the documents again; the old one stays as it is. Nothing "
            "was started or touched.",
        )
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
    checks = {wanted.storage_key_check, previous_key_check}
    if known.encryption and known.storage_key_check and known.storage_key_check not in checks:
        raise SiteFolderError(
            "the storage key is not the one that this site was made with",
            "Put the right storage.key back (or CAUSEWAY_STORAGE_KEY) and start again. Nothing was started or touched.",
        )
    return not known.declared
