"""What a hub handed to this site: taken from the join file at the first start, and kept in the data folder."""

from dataclasses import replace
from pathlib import Path

from causeway.cli.errors import BadConfigError, SiteFolderError
from causeway.cli.site_config import SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.topology.bundle import Bundle
from causeway.topology.secret_files import write_secret

KEPT = "site.join"
_DEFAULT_NAME = SiteConfig().site


def joined_site(config: SiteConfig, folder: SiteFolder, join: Path | None) -> tuple[SiteConfig, Bundle | None]:
    """The configuration with the name that the hub gave the site, and the bundle; None for a site that has not joined.

    Raises:
        TopologyError: the file is not a whole bundle. UserError: it is for a site of another name.
    """
    kept = folder.link / KEPT
    if join is None and not kept.exists():
        return config, None
    bundle = Bundle.read(join or kept)
    config = _named(config, bundle)
    known = folder.identity()
    if known is not None and known.site != bundle.site:
        raise SiteFolderError(
            f"this folder is the site {known.site!r}, and the join file is for {bundle.site!r}",
            f"Ask the hub for one (causeway site add {known.site}), or give {bundle.site} a folder with --data.",
        )
    return config, bundle


def _named(config: SiteConfig, bundle: Bundle) -> SiteConfig:
    if config.site not in (bundle.site, _DEFAULT_NAME):
        raise BadConfigError(
            f"the site is named {config.site!r}, and the join file is for {bundle.site!r}",
            f"Leave the name out, or ask the hub for another: causeway site add {config.site}",
        )
    return replace(config, site=bundle.site)


def keep_join_file(join: Path, folder: SiteFolder) -> None:
    """Keep what is in the join file, so that later starts need it no more."""
    bundle = Bundle.read(join)
    bundle.write(folder.link / KEPT)
    if bundle.tls:
        for name, text in (("ca.pem", bundle.authority), ("site.pem", bundle.certificate), ("site.key", bundle.key)):
            write_secret(folder.link / name, text.encode())
