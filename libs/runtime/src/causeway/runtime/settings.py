"""Settings of a service: one frozen value, read once from the environment, with no guess about a misspelt name."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

COMMON = "CAUSEWAY"


class BadSettingError(ValueError):
    """A setting is missing, unknown or not a value of its type. The text names the variable and what it takes."""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service of a site needs, from `CAUSEWAY_*`. A service adds its own fields, from `<SERVICE>_*`."""

    site: str
    nats_url: str = "nats://127.0.0.1:4222"
    nats_user: str = ""
    nats_password_file: Path | None = None
    log_format: str = "json"
    log_level: str = "INFO"
    drain_timeout_s: float = 20.0


S = TypeVar("S", bound=ServiceSettings)

_COMMON_FIELDS = frozenset(field.name for field in msgspec.structs.fields(ServiceSettings))


def load(kind: type[S], service: str, environ: Mapping[str, str]) -> S:
    """The settings of `service`: common fields from `CAUSEWAY_<FIELD>`, its own from `<SERVICE>_<FIELD>`.

    Raises:
        BadSettingError: an unknown `<SERVICE>_*` variable (a misspelt limit must not be silently ignored), a missing
            one that has no default, or a value of the wrong type.
    """
    prefix = service.upper().replace("-", "_")
    fields = {field.name for field in msgspec.structs.fields(kind)}
    values: dict[str, str] = {}
    for name in fields:
        variable = variable_of(name, prefix)
        if variable in environ:
            values[name] = environ[variable]
    _refuse_unknown(prefix, fields - _COMMON_FIELDS, environ)
    try:
        return msgspec.convert(values, kind, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise BadSettingError(_explain(str(error), prefix)) from error


def variable_of(field: str, prefix: str) -> str:
    """The environment variable of a field."""
    return f"{COMMON if field in _COMMON_FIELDS else prefix}_{field.upper()}"


def _refuse_unknown(prefix: str, own: set[str], environ: Mapping[str, str]) -> None:
    known = {f"{prefix}_{name.upper()}" for name in own}
    unknown = sorted(name for name in environ if name.startswith(f"{prefix}_") and name not in known)
    if unknown:
        raise BadSettingError(f"unknown setting {unknown[0]}: this service takes {', '.join(sorted(known))}")


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


def _explain(error: str, prefix: str) -> str:
    """msgspec's sentence with the variable's name in place of the field's."""
    for part in error.split("`"):
        name = part.removeprefix("$.")
        if name.isidentifier():
            error = error.replace(f"`{part}`", f"`{variable_of(name, prefix)}`")
    return f"bad setting: {error}"
