"""Reading YAML node by node, so that a mistake is answered with its line and what may stand there. Pure."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from causeway.topology.errors import BadFleetError


@dataclass(frozen=True)
class Node:
    """A node of a file, with its place for errors."""

    raw: yaml.Node
    source: str
    path: str = ""

    def refuse(self, problem: str, mend: str) -> BadFleetError:
        """The error for this node."""
        return BadFleetError(f"{self.source}, line {self.raw.start_mark.line + 1}: {self.path} {problem}", mend)

    def keys(self, *known: str) -> dict[str, "Node"]:
        """The values of a mapping that has no other keys than these."""
        if isinstance(self.raw, yaml.ScalarNode) and self.raw.value == "":
            return {}
        if not isinstance(self.raw, yaml.MappingNode):
            raise self.refuse("must be keys with values", f"Keys here: {', '.join(known)}.")
        found: dict[str, Node] = {}
        for name_node, value in self.raw.value:
            name = str(name_node.value)
            inner = Node(value, self.source, f"{self.path}.{name}" if self.path else name)
            at_name = Node(name_node, self.source, inner.path)
            if name not in known:
                raise at_name.refuse("is not a key" + _nearest(name, known), f"Keys here: {', '.join(known)}.")
            if name in found:
                raise at_name.refuse("is there twice", "Keep one of the two.")
            found[name] = inner
        return found

    def items(self) -> list["Node"]:
        """The values of a list."""
        if isinstance(self.raw, yaml.ScalarNode) and self.raw.value == "":
            return []
        if not isinstance(self.raw, yaml.SequenceNode):
            raise self.refuse("must be a list", "Begin each entry with `- `.")
        return [Node(value, self.source, f"{self.path}[{at}]") for at, value in enumerate(self.raw.value)]

    def text(self, pattern: re.Pattern[str], form: str) -> str:
        """A string of a pattern; a number is taken as it is written."""
        value = str(self.raw.value) if isinstance(self.raw, yaml.ScalarNode) else ""
        if not pattern.fullmatch(value):
            raise self.refuse(f"is {value!r}", f"It takes {form}.")
        return value

    def choice(self, allowed: Iterable[str]) -> str:
        """One of a few words."""
        words = list(allowed)
        value = str(self.raw.value) if isinstance(self.raw, yaml.ScalarNode) else ""
        if value not in words:
            raise self.refuse(f"is {value!r}" + _nearest(value, words), f"It takes {' or '.join(words)}.")
        return value

    def number(self, least: int, most: int) -> int:
        """A whole number between two bounds, both included."""
        value = self._scalar()
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.refuse(f"is {value!r}", f"It takes a whole number from {least} to {most}.")
        return value

    def flag(self) -> bool:
        """True or false."""
        value = self._scalar()
        if not isinstance(value, bool):
            raise self.refuse(f"is {value!r}", "It takes true or false.")
        return value

    def _scalar(self) -> Any:
        if not isinstance(self.raw, yaml.ScalarNode):
            raise self.refuse("must be a single value", "Write one value after the colon.")
        return yaml.safe_load(yaml.serialize(self.raw))


def read_yaml(text: str, source: str) -> Node | None:
    """The root of a file, or None when it is empty.

    Raises:
        BadFleetError: not YAML.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadFleetError(f"{source}: not YAML: {' '.join(str(error).split())}", "Mend the line it names.") from error
    return None if root is None else Node(root, source)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
