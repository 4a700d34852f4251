"""The composition root: the engine, Milvus and the encoder that the settings name, and the endpoints over them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry

from causeway.bus import Bus, BusSettings, Serving
from causeway.cloud_inference.absent import NO_ENGINE, NoEngine, NothingShared
from causeway.cloud_inference.answering import Answering, AnswerRules, Retriever
from causeway.cloud_inference.billing import SERVICE, Billing, Tariff
from causeway.cloud_inference.entrance import Entrance, Rules
from causeway.cloud_inference.epochs import Epochs
from causeway.cloud_inference.handlers import Asks
from causeway.cloud_inference.metrics import Metrics
from causeway.cloud_inference.openai_http import EngineAddress, EngineLimits, OpenAiEngine
from causeway.cloud_inference.ports import Documents, Engine
from causeway.cloud_inference.retrieving import Retrieving
from causeway.cloud_inference.settings import Settings
from causeway.cloud_inference.usage_events import UsageEvents
from causeway.cloud_inference.vouching import Vouching
from causeway.cloud_inference.watching import Watch, WatchRules
from causeway.models import Encoder, ModelError, ModelSettings, ModelStore
from causeway.models.registry import load_registry
from causeway.runtime import StartRefused
from causeway.runtime.exposition import Exposition
from causeway.runtime.process import Body
from causeway.runtime.tracing import tracer_provider

DESCRIPTION = "Answers questions of sites from what all of them share, with citations, and says how these stand."
USAGE_FLUSH_S = 5.0


def build(settings: Settings) -> Body:
    """The service: starts, answers until stopped, drains."""

    async def body(stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            await _run(settings, stack, stop)

    return body


async def _run(settings: Settings, stack: AsyncExitStack, stop: asyncio.Event) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    bus = Bus(BusSettings.of(settings, SERVICE, registry, tracer_provider(SERVICE, settings.site)))
    entrance = Entrance(_rules(settings), metrics)
    engine = _engine(settings)
    stack.push_async_callback(engine.close)
    retriever, documents = await _knowledge(settings, bus, stack)
    usage = UsageEvents(bus, settings.site, metrics, queue_max=settings.usage_queue_max)
    billing = Billing(_tariff(settings), metrics, used=usage.add)
    watch = Watch(engine, entrance, _watch_rules(settings), billing, metrics, model=settings.engine_model)
    answering = Answering(engine, entrance, retriever, watch, _answer_rules(settings), billing, metrics)
    asks = Asks(
        answering=answering,
        entrance=entrance,
        served=watch,
        vouching=Vouching(documents, metrics),
        engine_name=settings.engine,
        adapters=settings.adapters_by_kb(),
    )
    serving = bus.serve(SERVICE, version("causeway-cloud-inference"), DESCRIPTION, asks.endpoints())
    stack.enter_context(Exposition(registry, lambda: _not_ready(bus, serving), settings.metrics_port))
    await stack.enter_async_context(bus)
    stack.push_async_callback(_drained, bus, serving, usage, asyncio.create_task(usage.run(), name="usage"))
    await watch.until(stop)


async def _drained(bus: Bus, serving: Serving, usage: UsageEvents, publishing: asyncio.Task[None]) -> None:
    """No more asks; those here end within the drain's limit; then their usage is published."""
    await bus.release(serving)
    await usage.flush(USAGE_FLUSH_S)
    publishing.cancel()
    with suppress(asyncio.CancelledError):
        await publishing


def _not_ready(bus: Bus, serving: Serving) -> str:
    """An engine that loads or is down is no reason: whoever asks is told so, which is an answer."""
    if not bus.connected:
        return "not connected to nats-server, trying again"
    return "" if serving.ready.is_set() else "joining the queue group"


def _engine(settings: Settings) -> Engine:
    if settings.engine == "none":
        return NoEngine()
    address = EngineAddress(
        url=settings.engine_url,
        metrics_url=settings.engine_metrics_url,
        # Others have no /health, but all can be asked what they serve.
        health_path="v1/models" if settings.engine == "openai-url" else "health",
        key=_secret(settings.engine_key_file),
        tokenizes=settings.engine != "openai-url",
    )
    limits = EngineLimits(
        connect_s=settings.engine_connect_timeout_s,
        idle_s=settings.engine_idle_timeout_s,
        call_s=settings.engine_call_timeout_s,
        requests_max=settings.requests_max,
    )
    return OpenAiEngine(address, limits)


async def _knowledge(settings: Settings, bus: Bus, stack: AsyncExitStack) -> tuple[Retriever, Documents | None]:
    if not settings.milvus_uri or settings.engine == NO_ENGINE:
        return NothingShared(), None
    # It brings pandas: a second and a hundred megabytes that a hub without an engine shall not pay for.
    from causeway.milvus.shelf import MilvusShelf

    token = _secret(settings.milvus_token_file)
    shelf = MilvusShelf(settings.milvus_uri, token=token, timeout_s=settings.milvus_timeout_s)
    stack.push_async_callback(shelf.close)
    threads = ThreadPoolExecutor(settings.encode_threads, "encode")
    stack.callback(threads.shutdown, wait=False)
    try:
        encoder = await asyncio.to_thread(_encoder, settings)
    except ModelError as error:
        raise StartRefused(str(error)) from error
    epochs = Epochs()
    epochs.follow(bus)
    return Retrieving(shelf, encoder, threads, epochs.at), shelf


def _encoder(settings: Settings) -> Encoder:
    path = Path(settings.model)
    if not path.exists():
        found = ModelSettings.from_environment()
        chosen = found if settings.models_dir is None else replace(found, folder=settings.models_dir)
        specs = load_registry(chosen.registry_file).models
        role = next((role for role, spec in specs.items() if settings.model in (role, spec.name)), settings.model)
        path = ModelStore.from_settings(chosen).locate(role)
    return Encoder.load(path, precision=settings.precision, threads=settings.threads, device=settings.device)


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StartRefused(f"a key of the engine or of Milvus can not be read: {error}") from error


def _rules(settings: Settings) -> Rules:
    return Rules(
        requests_max=settings.requests_max,
        site_requests_max=settings.requests_max_of_site(),
        slots=settings.engine_sequences_max,
        timeouts_max=settings.engine_timeouts_max,
    )


def _watch_rules(settings: Settings) -> WatchRules:
    return WatchRules(
        every_s=settings.engine_watch_every_s,
        measure_every_s=settings.engine_measure_every_s,
        measure_timeout_s=settings.engine_measure_timeout_s,
        measures_per_hour_max=settings.engine_measures_per_hour_max,
        # Its few tokens and the chat template have the rest of the context.
        measure_prompt_tokens_max=min(settings.prompt_tokens_max, settings.engine_context_tokens // 2),
        pause_file=settings.pause_file,
    )


def _answer_rules(settings: Settings) -> AnswerRules:
    return AnswerRules(
        prompt_tokens_max=settings.prompt_tokens_max,
        context_tokens=settings.engine_context_tokens,
        passages_max=settings.passages_max,
        reply_margin_ms=settings.reply_margin_ms,
        adapters=settings.adapters_by_kb(),
    )


def _tariff(settings: Settings) -> Tariff:
    return Tariff(price=settings.price(), watts=settings.accelerator_watts, engine_name=settings.engine)
