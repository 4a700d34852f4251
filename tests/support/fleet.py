"""A hub and its sites as shipped: `hub init`, `site add`, `up hub` and `up site --join`, in folders of a test."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from causeway.cli.ports import free_port
from tests.support.site import SiteUnderTest, run_causeway, running_site


@dataclass
class FleetUnderTest:
    """A running hub; `join` adds a site to it and starts it."""

    root: Path
    hub: SiteUnderTest
    stack: ExitStack
    sites: dict[str, SiteUnderTest] = field(default_factory=dict)

    @property
    def leaf_port(self) -> int:
        """Where sites connect by leaf node."""
        port: int = yaml.safe_load((self.hub.folder / "fleet.yaml").read_text())["hub"]["ports"]["leaf"]
        return port

    def listed(self) -> list[str]:
        """The sites of the hub by name."""
        rows = json.loads(run_causeway("site", "list", "--json", "--data", str(self.hub.folder)))
        return [row["name"] for row in rows]

    def add(self, name: str, *options: str) -> Path:
        """`causeway site add`; the join file."""
        file = self.root / f"{name}.join"
        run_causeway("site", "add", name, "--data", str(self.hub.folder), "--out", str(file), *options)
        return file

    def join(self, name: str, *options: str, up: Sequence[str] = ()) -> SiteUnderTest:
        """Add a site and start it with its join file. `options` are those of `site add`, `up` of `up site`."""
        running = running_site(self.root / name, "--join", str(self.add(name, *options)), *up)
        self.sites[name] = self.stack.enter_context(running)
        return self.sites[name]


@contextmanager
def running_fleet(root: Path, *options: str, up: Sequence[str] = ()) -> Iterator[FleetUnderTest]:
    """A hub without sites, on free ports; everything is stopped at the end of the block. `options` are those of
    `hub init`, `up` of `up hub`."""
    ports = ("--leaf-port", str(free_port()), "--wss-port", str(free_port()))
    run_causeway("hub", "init", "--data", str(root / "hub"), "--host", "127.0.0.1", *ports, *options)
    with ExitStack() as stack:
        hub = stack.enter_context(running_site(root / "hub", *up, role="hub"))
        yield FleetUnderTest(root, hub, stack)
