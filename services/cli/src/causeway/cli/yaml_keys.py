"""Reading YAML against a table of keys, so that a mistake is answered with its line and what may stand there."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from causeway.cli.errors import BadConfigError


class Kind(Protocol):
    """What a key may hold."""

    def read(self, node: yaml.Node, at: "Place") -> Any:
        """The value of the node, or BadConfigError at the place."""


Keys = Mapping[str, Kind]


@dataclass(frozen=True)
class Place:
    """Where in the file we are: for the error's text."""

    source: str
    path: str = ""

    def key(self, name: str) -> "Place":
        """One level deeper."""
        return Place(self.source, f"{self.path}.{name}" if self.path else name)

    def refuse(self, node: yaml.Node, problem: str, mend: str) -> BadConfigError:
        """The error for a node."""
        line = node.start_mark.line + 1
        return BadConfigError(f"{self.source}, line {line}: {self.path} {problem}", mend)


def _scalar(node: yaml.Node, at: Place, expected: str) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise at.refuse(node, "must be a single value", f"{at.path} takes {expected}.")
    return yaml.safe_load(yaml.serialize(node))


@dataclass(frozen=True)
class Text:
    """A string, of a pattern if there is one; `form` says the pattern in words. A number is taken as it is written."""

    pattern: re.Pattern[str] | None = None
    form: str = "text"

    def read(self, node: yaml.Node, at: Place) -> str:
        value = _scalar(node, at, self.form)
        text = "" if value is None else str(node.value)
        if self.pattern is not None and not self.pattern.match(text):
            raise at.refuse(node, f"is {text!r}", f"{at.path} takes {self.form}.")
        return text


class Choice:
    """One of a few words."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def read(self, node: yaml.Node, at: Place) -> str:
        allowed = " or ".join(self.allowed)
        value = _scalar(node, at, allowed)
        if value not in self.allowed:
            raise at.refuse(node, f"is {value!r}", f"{at.path} takes {allowed}.")
        return str(value)


@dataclass(frozen=True)
class Number:
    """A whole number between two bounds, both included."""

    least: int
    most: int

    def read(self, node: yaml.Node, at: Place) -> int:
        form = f"a whole number from {self.least} to {self.most}"
        value = _scalar(node, at, form)
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise at.refuse(node, f"is {value!r}", f"{at.path} takes {form}.")
        return value


class Flag:
    """True or false."""

    def read(self, node: yaml.Node, at: Place) -> bool:
        value = _scalar(node, at, "true or false")
        if not isinstance(value, bool):
            raise at.refuse(node, f"is {value!r}", f"{at.path} takes true or false.")
        return value


class Settings:
    """Names and single values of any kind, kept as text."""

    def read(self, node: yaml.Node, at: Place) -> dict[str, str]:
        found = {}
        for name, _, value in _pairs(node, at):
            scalar = _scalar(value, at.key(name), "a single value")
            found[name] = str(scalar).lower() if isinstance(scalar, bool) else str(value.value)
        return found


@dataclass(frozen=True)
class Section:
    """Keys below a key; `build` makes the value from those that are there."""

    build: Callable[..., Any]
    keys: Keys

    def read(self, node: yaml.Node, at: Place) -> Any:
        return self.build(**_section(node, at, self.keys))


def read_keys(text: str, source: str, keys: Keys) -> dict[str, Any]:
    """The values of the keys that are in `text`.

    Raises:
        BadConfigError: not YAML, or a mistake of a key or value, with its line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadConfigError(
            f"{source}: not YAML: {' '.join(str(error).split())}", "Mend the line that it names."
        ) from error
    if root is None:
        return {}
    return _section(root, Place(source), keys)


def _section(node: yaml.Node, at: Place, keys: Keys) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode) and node.value == "":
        return {}
    found: dict[str, Any] = {}
    for name, name_node, value in _pairs(node, at):
        inner = at.key(name)
        if name not in keys:
            raise inner.refuse(name_node, "is not a key" + _nearest(name, keys), f"Keys here: {', '.join(keys)}.")
        if name in found:
            raise inner.refuse(name_node, "is there twice", "Keep one of the two.")
        found[name] = keys[name].read(value, inner)
    return found


def _pairs(node: yaml.Node, at: Place) -> list[tuple[str, yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise at.refuse(
            node,
            "must be keys with values" if at.path else "the file must be keys with values",
            "See `causeway up site --print-config`.",
        )
    return [(str(name.value), name, value) for name, value in node.value]


def _nearest(name: str, keys: Keys) -> str:
    close = difflib.get_close_matches(name, list(keys), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
