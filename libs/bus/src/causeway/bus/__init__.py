"""Causeway's use of NATS. Services import from here; the submodules `streams` and `dead_letters` are the operator's."""

from nats.aio.msg import Msg as RawMessage

from causeway.bus.bus import Bus
from causeway.bus.consuming import Consumption
from causeway.bus.delivery import Ack, Dead, Delivery, Outcome, PubAck, Retry, Stored
from causeway.bus.durables import DurableState, drop_durable, durable_state
from causeway.bus.errors import (
    AccessRefused,
    BusError,
    ConfigurationRefused,
    DeclareRefused,
    NoResponders,
    NotConnected,
    NotPublished,
    ObjectDamaged,
    ObjectError,
    ObjectMissing,
    ObjectTooLarge,
    PayloadTooLarge,
    ProblemReply,
    RequestFailed,
    RequestTimeout,
    StreamFull,
    StreamMissing,
    WrongLastSequence,
    WrongStorageKey,
)
from causeway.bus.following import Following, Position
from causeway.bus.health import Health
from causeway.bus.links import LeafLink, end_leaf_links, leaf_links, reload_servers
from causeway.bus.serving import Caller, Endpoint, Serving
from causeway.bus.settings import BusSettings
from causeway.bus.sourcing import (
    SourceState,
    add_source,
    declare_feed,
    kick_source,
    remove_feed,
    remove_source,
    source_states,
)

__all__ = [
    "AccessRefused",
    "Ack",
    "Bus",
    "BusError",
    "BusSettings",
    "Caller",
    "ConfigurationRefused",
    "Consumption",
    "Dead",
    "DeclareRefused",
    "Delivery",
    "DurableState",
    "Endpoint",
    "Following",
    "Health",
    "LeafLink",
    "NoResponders",
    "NotConnected",
    "NotPublished",
    "ObjectDamaged",
    "ObjectError",
    "ObjectMissing",
    "ObjectTooLarge",
    "Outcome",
    "PayloadTooLarge",
    "Position",
    "ProblemReply",
    "PubAck",
    "RawMessage",
    "RequestFailed",
    "RequestTimeout",
    "Retry",
    "Serving",
    "SourceState",
    "Stored",
    "StreamFull",
    "StreamMissing",
    "WrongLastSequence",
    "WrongStorageKey",
    "add_source",
    "declare_feed",
    "drop_durable",
    "durable_state",
    "end_leaf_links",
    "kick_source",
    "leaf_links",
    "reload_servers",
    "remove_feed",
    "remove_source",
    "source_states",
]
