"""What can go wrong with the engine. The docstring of each error says what the operator does about it.

EngineError
├── EngineGone       no connection, or it broke off
├── EngineBusy       503 or 429
├── EngineTimeout    silence beyond a limit; counted in a row
├── EngineGarbage    what comes is not the protocol
├── EngineDenied     401 or 403: a wrong key
└── EngineRefused    any other status: a wrong model or request, which says nothing of others
"""


class EngineError(RuntimeError):
    """The engine did not do what it was asked for."""

    kind = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(f"{detail}: {(type(self).__doc__ or '').strip()}")
        self.detail = detail


class EngineGone(EngineError):
    """The engine is not there: see its log, start it, or correct CLOUD_INFERENCE_ENGINE_URL."""

    kind = "gone"


class EngineBusy(EngineError):
    """The engine's own queue is full: ask again shortly, or run more of it."""

    kind = "busy"


class EngineTimeout(EngineError):
    """The engine said nothing for too long: it may hang, restart it if this goes on."""

    kind = "timeout"


class EngineGarbage(EngineError):
    """What came is not the chat-completions protocol: see that CLOUD_INFERENCE_ENGINE_URL is an engine's."""

    kind = "garbage"


class EngineDenied(EngineError):
    """The engine does not take the key: correct CLOUD_INFERENCE_ENGINE_KEY_FILE."""

    kind = "denied"


class EngineRefused(EngineError):
    """The engine refused the request: correct CLOUD_INFERENCE_ENGINE_MODEL, the adapters or the context."""

    kind = "refused"
