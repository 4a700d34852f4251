"""The composition root: the key, the vault, the models and the index backend that the settings name."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from importlib.util import find_spec

from causeway.edge_inference.errors import GenerationError, KeyMissingError, VaultError
from causeway.edge_inference.exact import ExactIndex
from causeway.edge_inference.hardening import harden
from causeway.edge_inference.keys import parse_key, read_key_file
from causeway.edge_inference.llama import LlamaGenerator
from causeway.edge_inference.model_files import model_path
from causeway.edge_inference.ports import VectorIndex
from causeway.edge_inference.seeding import seed
from causeway.edge_inference.service import Service
from causeway.edge_inference.settings import Settings
from causeway.edge_inference.vault import Vault
from causeway.edge_inference.vault_folder import locked, open_keyring
from causeway.models import Encoder, ModelError
from causeway.runtime import BadSettingError, StartRefused
from causeway.runtime.process import Body

_log = logging.getLogger(__name__)


def build(settings: Settings) -> Body:
    """The service: refuses or opens, catches up, answers until stopped, drains."""

    async def body(stop: asyncio.Event) -> None:
        for warning in harden().warnings:
            _log.warning(warning)
        try:
            kek = key_of(settings)
            with locked(settings.vault_dir):
                await asyncio.to_thread(seed, settings.vault_dir, settings.vault_seed_dir)
                await _run(settings, kek, stop)
        except (VaultError, ModelError, BadSettingError) as error:
            raise StartRefused(str(error)) from error

    return body


def key_of(settings: Settings) -> bytes:
    """The key-encryption key that the operator gave.

    Raises:
        KeyMissingError, KeyMalformedError, KeyFileOpenError.
    """
    if settings.vault_key_file is not None:
        return read_key_file(settings.vault_key_file)
    if settings.vault_key:
        return parse_key(settings.vault_key, "EDGE_INFERENCE_VAULT_KEY")
    raise KeyMissingError(where="neither variable is set")


def successor_of(kind: str, dims: int) -> Callable[[], VectorIndex]:
    """What makes the index that takes over from exact search."""

    def make() -> VectorIndex:
        # Each backend costs seconds and tens of MB to import, and only one is used.
        if kind == "chroma":
            from causeway.edge_inference.chroma import ChromaIndex

            return ChromaIndex(dims)
        if kind == "usearch":
            from causeway.edge_inference.usearch import UsearchIndex

            return UsearchIndex(dims)
        return ExactIndex(dims)

    return make


async def _run(settings: Settings, kek: bytes, stop: asyncio.Event) -> None:
    # The key first: with a wrong one, nothing else shall have been touched.
    ring = open_keyring(settings.vault_dir, kek)
    encoder = await asyncio.to_thread(_load_encoder, settings)
    async with AsyncExitStack() as stack:
        generator = _generator(settings, stack)
        service = Service(
            settings,
            vault=Vault(settings.vault_dir, ring, rule=settings.history()),
            kek=kek,
            encoder=encoder,
            successor=successor_of(settings.index, encoder.dims),
            generator=generator,
        )
        await stack.enter_async_context(service)
        await service.until(stop)


def _load_encoder(settings: Settings) -> Encoder:
    path = model_path(settings.model, settings.models_dir)
    return Encoder.load(path, precision=settings.precision, threads=settings.threads, device=settings.device)


def _generator(settings: Settings, stack: AsyncExitStack) -> LlamaGenerator | None:
    """The local model, loading by the side: answers do not wait for it, and stand without it."""
    if not settings.generator:
        return None
    if find_spec("xllamacpp") is None:
        raise StartRefused("a generator needs llama.cpp: `pip install xllamacpp`, or unset EDGE_INFERENCE_GENERATOR")
    path = model_path(settings.generator, settings.models_dir)
    generator = LlamaGenerator(path, threads=settings.generator_threads, tokens_max=settings.generator_tokens_max)
    stack.push_async_callback(generator.close)

    async def load() -> None:
        with suppress(GenerationError, TimeoutError):
            await generator.start()

    loading = asyncio.create_task(load())
    stack.callback(loading.cancel)
    return generator
