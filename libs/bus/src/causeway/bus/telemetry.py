"""FastStream's Prometheus and OpenTelemetry middlewares, with subjects folded to their names in the registry.

Raw subjects would make a series for every chunk id and every reply inbox.
"""

import re
import weakref
from collections.abc import Sequence
from typing import Any

from faststream.nats.opentelemetry.provider import (
    NatsBatchTelemetrySettingsProvider,
    NatsTelemetrySettingsProvider,
)
from faststream.nats.prometheus.provider import BatchNatsMetricsSettingsProvider, NatsMetricsSettingsProvider
from faststream.opentelemetry.consts import MESSAGING_DESTINATION_PUBLISH_NAME
from faststream.opentelemetry.middleware import TelemetryMiddleware
from faststream.prometheus.middleware import PrometheusMiddleware
from prometheus_client import CollectorRegistry

from causeway.bus.settings import BusSettings
from causeway.proto import subjects

REPLY, UNREGISTERED = "reply", "unregistered"


def _matcher(pattern: str) -> re.Pattern[str]:
    folded = re.sub(r"\\\{\w+\\\}", r"[^.]+", re.escape(pattern))
    return re.compile(f"^{folded}$")


_MATCHERS = tuple((_matcher(row.pattern), row) for row in subjects.ALL)


def row_of(subject: str) -> subjects.Subject | None:
    """The registry's row of a subject."""
    return next((row for matcher, row in _MATCHERS if matcher.match(subject)), None)


def label_of(subject: str, inbox_prefix: str = "_INBOX") -> str:
    """A subject as a metric label: its name in the registry, `reply`, or `unregistered`."""
    if subject.startswith((inbox_prefix, "_INBOX")):
        return REPLY
    row = row_of(subject)
    return row.name if row else UNREGISTERED


class _FoldedMetrics(NatsMetricsSettingsProvider):
    def get_consume_attrs_from_message(self, msg: Any) -> Any:
        attributes = super().get_consume_attrs_from_message(msg)
        return attributes | {"destination_name": label_of(attributes["destination_name"])}

    def get_publish_destination_name_from_cmd(self, cmd: Any) -> str:
        return label_of(super().get_publish_destination_name_from_cmd(cmd))


class _FoldedBatchMetrics(BatchNatsMetricsSettingsProvider):
    def get_consume_attrs_from_message(self, msg: Any) -> Any:
        attributes = super().get_consume_attrs_from_message(msg)
        size = sum(len(raw.data) for raw in msg.raw_message)
        return attributes | {"destination_name": label_of(attributes["destination_name"]), "message_size": size}

    def get_publish_destination_name_from_cmd(self, cmd: Any) -> str:
        return label_of(super().get_publish_destination_name_from_cmd(cmd))


class _FoldedSpans(NatsTelemetrySettingsProvider):
    def get_consume_attrs_from_message(self, msg: Any) -> dict[str, Any]:
        attributes = super().get_consume_attrs_from_message(msg)
        return attributes | {MESSAGING_DESTINATION_PUBLISH_NAME: label_of(msg.raw_message.subject)}

    def get_consume_destination_name(self, msg: Any) -> str:
        return label_of(super().get_consume_destination_name(msg))

    def get_publish_destination_name(self, cmd: Any) -> str:
        return label_of(super().get_publish_destination_name(cmd))

    def get_publish_attrs_from_cmd(self, cmd: Any) -> dict[str, Any]:
        attributes = super().get_publish_attrs_from_cmd(cmd)
        return {name: label_of(value) if value == cmd.destination else value for name, value in attributes.items()}


class _FoldedBatchSpans(NatsBatchTelemetrySettingsProvider):
    def get_consume_attrs_from_message(self, msg: Any) -> dict[str, Any]:
        attributes = super().get_consume_attrs_from_message(msg)
        return attributes | {MESSAGING_DESTINATION_PUBLISH_NAME: label_of(msg.raw_message[0].subject)}

    def get_consume_destination_name(self, msg: Any) -> str:
        return label_of(super().get_consume_destination_name(msg))


def _metrics_provider(message: Any) -> Any:
    return _FoldedBatchMetrics() if isinstance(message, Sequence) else _FoldedMetrics()


def _spans_provider(message: Any) -> Any:
    return _FoldedBatchSpans() if isinstance(message, Sequence) else _FoldedSpans()


_prometheus: weakref.WeakKeyDictionary[CollectorRegistry, Any] = weakref.WeakKeyDictionary()


def _prometheus_middleware(registry: CollectorRegistry, service: str) -> Any:
    # A registry takes each metric once, and a process may hold several buses over one registry.
    if registry not in _prometheus:
        _prometheus[registry] = PrometheusMiddleware(
            settings_provider_factory=_metrics_provider, registry=registry, app_name=service
        )
    return _prometheus[registry]


def broker_middlewares(settings: BusSettings) -> list[Any]:
    """What the settings ask for: nothing, metrics, traces or both."""
    chosen: list[Any] = []
    if settings.prometheus_registry is not None:
        chosen.append(_prometheus_middleware(settings.prometheus_registry, settings.service))
    if settings.tracer_provider is not None:
        chosen.append(
            TelemetryMiddleware(
                settings_provider_factory=_spans_provider,
                tracer_provider=settings.tracer_provider,
                include_messages_counters=False,
            )
        )
    return chosen
