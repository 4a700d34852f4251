"""Which streams of the other side a place copies, and what its owner must make for that. Pure.

Up, the hub makes its own consumer at the site: it may, in an account that holds nothing but what the site shares. Down,
the hub makes the consumers itself and a site can only start them again: a site that could make its own could have
the hub deliver them to any subject of the hub.
"""

from collections.abc import Iterable

from causeway.proto import streams
from causeway.proto.streams import Feed, Source
from causeway.proto.subjects import HUB, checked_kb, checked_site

HUB_OUTBOX = streams.outbox(HUB).name
DELIVER = "_DLV"
HUB_API = "_HUB"


def hub_source(site: str) -> Source:
    """The hub's INBOX from one site. Whatever subjects the site's outbox has, here they are the site's own."""
    return Source(
        stream=streams.outbox(checked_site(site)).name,
        api_prefix=f"$JS.{site}.API",
        deliver_subject=f"{DELIVER}.{site}.up",
        subjects="site.*.outbox.*.*.*",
        owner=site,
    )


def hub_feeds(site: str, kbs: Iterable[str]) -> tuple[Feed, ...]:
    """The consumers that the hub makes for a site: one for each kb, and one for artifacts."""
    feeds = [_feed(site, f"{site}_{checked_kb(kb)}", f"kb.{kb}", f"site.{HUB}.outbox.{kb}.>") for kb in kbs]
    return (*feeds, _feed(site, site, "artifact", f"site.{HUB}.artifact.>"))


def _feed(site: str, consumer: str, ending: str, subjects: str) -> Feed:
    return Feed(
        stream=HUB_OUTBOX,
        consumer=consumer,
        deliver_subject=f"{DELIVER}.{HUB}.{checked_site(site)}.{ending}",
        subjects=subjects,
    )


def site_sources(site: str, kbs: Iterable[str]) -> tuple[Source, ...]:
    """The sources of a site's INBOX, one for each feed."""
    return tuple(_of_feed(feed) for feed in hub_feeds(site, kbs))


def _of_feed(feed: Feed) -> Source:
    return Source(
        stream=feed.stream,
        api_prefix=feed_api(feed),
        deliver_subject=feed.deliver_subject,
        subjects=feed.subjects,
        consumer=feed.consumer,
    )


def feed_api(feed: Feed) -> str:
    """Where a site finds the API of one feed: a prefix of its own tells the sources of one stream apart."""
    return feed.deliver_subject.replace(f"{DELIVER}.{HUB}", HUB_API, 1) + ".API"
