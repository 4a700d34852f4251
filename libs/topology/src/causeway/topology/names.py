"""Names of accounts, users and variables that the two sides of a link agree on. Pure."""

APP = "APP"
"""A site's account for everything local: nothing in it can be reached over the link."""
LINK = "LINK"
"""A site's account that the link is bound to: the outbox, the inbox, and nothing else."""
HUB = "HUB"
SYS = "SYS"

APP_USER = "causeway"
LINK_USER = "link"

STORAGE_KEY_VARIABLE = "CAUSEWAY_STORAGE_KEY"
PREVIOUS_KEY_VARIABLE = "CAUSEWAY_STORAGE_KEY_PREVIOUS"
PASSWORD_VARIABLE = "CAUSEWAY_NATS_PASSWORD"  # noqa: S105 - the name of a variable, not a password.
LINK_PASSWORD_VARIABLE = "CAUSEWAY_LINK_PASSWORD"  # noqa: S105 - as above.
LEAF_SEED_VARIABLE = "CAUSEWAY_LEAF_SEED"


def site_account(site: str) -> str:
    """The hub's account of a site."""
    return f"SITE_{site}"
