"""`causeway hub`: make a hub, and print its server's configuration for wherever it runs."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from causeway.cli.commands.config_output import put_out
from causeway.cli.console import STDOUT
from causeway.cli.hub_folder import changing, init_hub, read_fleet
from causeway.cli.keys import SiteKeys, make_missing
from causeway.cli.printed_config import Deployment, hub_files
from causeway.cli.site_folder import DEFAULT_HUB_FOLDER, SiteFolder
from causeway.topology.description import Fleet, Hub, parse_fleet, render_fleet

HubData = Annotated[Path, typer.Option("--data", help="Folder of the hub.")]
Hosts = Annotated[
    list[str] | None, typer.Option("--host", help="Name or address that sites reach the hub by; again for another.")
]
ClientPort = Annotated[int, typer.Option("--port", help="Port for producers and askers of the hub.", min=1, max=65_535)]
MonitorPort = Annotated[int, typer.Option("--monitor-port", help="Port of nats-server's own page.", min=1, max=65_535)]
LeafPort = Annotated[int, typer.Option("--leaf-port", help="Port that sites connect to.", min=1, max=65_535)]
WssPort = Annotated[
    int, typer.Option("--wss-port", help="Port for sites that reach nothing but 443 (0: none).", min=0, max=65_535)
]
NoTls = Annotated[bool, typer.Option("--no-tls", help="Links without encryption: in a tunnel or for a try-out only.")]
For = Annotated[Deployment, typer.Option("--for", help="Where nats-server runs: its paths and addresses.")]

Out = Annotated[Path | None, typer.Option("--out", help="Folder to write the files to, instead of printing them.")]


def register(app: typer.Typer) -> None:
    """Add `hub`."""
    group = typer.Typer(help="Make a hub that sites join; `causeway up hub` runs it.", no_args_is_help=True)
    group.command("init")(init)
    group.command("config")(config)
    app.add_typer(group, name="hub")


def init(
    data: HubData = DEFAULT_HUB_FOLDER,
    hosts: Hosts = None,
    port: ClientPort = 4222,
    monitor_port: MonitorPort = 8222,
    leaf_port: LeafPort = 7422,
    wss_port: WssPort = 0,
    no_tls: NoTls = False,
) -> None:
    """Make the folder of a hub: its description (fleet.yaml), its keys, and a certificate authority of its own."""
    folder = SiteFolder(data)
    ports = replace(Hub().ports, client=port, leaf=leaf_port, websocket=wss_port, monitor=monitor_port)
    wanted = Hub(hosts=tuple(hosts or Hub().hosts), ports=ports, tls=not no_tls)
    # What the options say is checked as if it stood in the file.
    hub = parse_fleet(render_fleet(Fleet(hub=wanted)), "the options").hub
    with changing(folder):
        init_hub(folder, hub)
        keys = SiteKeys(folder.keys)
        make_missing(keys, initialised=False, needed=(*keys.lasting(), keys.password, keys.engine))
    option = "" if data == DEFAULT_HUB_FOLDER else f" --data {data}"
    STDOUT.print(f"Made a hub in [bold]{data}[/]: fleet.yaml, keys/{'' if no_tls else ', pki/'}.")
    STDOUT.print("[bold]Keep a copy of keys/ elsewhere: without them the data is lost.[/]")
    if not hosts:
        STDOUT.print("[yellow]It is reached by 127.0.0.1 only: sites of other machines need --host NAME.[/]")
    STDOUT.print(f"Next:\n  causeway up hub{option}\n  causeway site add NAME{option} --out NAME.join")


def config(data: HubData = DEFAULT_HUB_FOLDER, deployment: For = Deployment.PROCESS, out: Out = None) -> None:
    """Print the configuration of the hub's nats-server: nats-server.conf, and accounts.conf that it includes."""
    folder = SiteFolder(data)
    put_out(hub_files(folder, read_fleet(folder), deployment), out)
