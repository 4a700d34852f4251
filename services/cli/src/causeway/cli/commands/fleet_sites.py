"""`causeway site`: the sites of a hub, added and removed while it runs."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from causeway.cli.commands.config_output import put_out
from causeway.cli.commands.up import read_config
from causeway.cli.console import STDOUT
from causeway.cli.errors import UserError
from causeway.cli.fleet_change import change_fleet
from causeway.cli.hub_folder import changing, new_site, read_fleet
from causeway.cli.join_file import joined_site
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name
from causeway.cli.printed_config import Deployment, site_files
from causeway.cli.site_folder import DEFAULT_FOLDER, DEFAULT_HUB_FOLDER, SiteFolder
from causeway.topology.description import Fleet, LinkKind, Site, checked_site_name

Name = Annotated[str, typer.Argument(help="Name of the site: lower-case letters, digits and -.")]
HubData = Annotated[Path, typer.Option("--data", help="Folder of the hub, running or not.")]
SiteData = Annotated[Path, typer.Option("--data", help="Folder of the site.")]
Kbs = Annotated[list[str] | None, typer.Option("--kb", help="Knowledge base of the hub that it takes; again for more.")]
Link = Annotated[LinkKind, typer.Option("--link", help="leaf, or wss for a site that reaches nothing but port 443.")]
Out = Annotated[Path | None, typer.Option("--out", help="The join file to write (NAME.join). It is a secret.")]
Replace = Annotated[
    bool, typer.Option("--replace", help="Hand out a new join file for a site that is there: the old one ends.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
For = Annotated[Deployment, typer.Option("--for", help="Where nats-server runs: its paths and addresses.")]

Folder = Annotated[Path | None, typer.Option("--out", help="Folder to write the files to, instead of printing them.")]
Join = Annotated[Path | None, typer.Option("--join", help="Join file; without one, what the folder keeps of it.")]
SiteYaml = Annotated[Path | None, typer.Option("--config", "-c", help="site.yaml; without one the defaults hold.")]


def register(app: typer.Typer) -> None:
    """Add `site`."""
    group = typer.Typer(help="The sites of a hub; `causeway up site` runs one.", no_args_is_help=True)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("list")(list_sites)
    group.command("config")(print_config)
    app.add_typer(group, name="site")


def add(
    name: Name,
    kbs: Kbs = None,
    link: Link = LinkKind.LEAF,
    out: Out = None,
    replace: Replace = False,
    data: HubData = DEFAULT_HUB_FOLDER,
) -> None:
    """Let a site join the hub. Writes the join file that its operator starts it with; a hub that runs takes the site
    at once, and nothing restarts."""
    checked_site_name(name)
    file = out or Path(f"{name}.join")
    if file.exists() and not replace:
        raise UserError(f"{file} is there already", "Name another with --out, or use --replace.")
    folder = SiteFolder(data)
    with changing(folder):
        old = read_fleet(folder)
        if old.site(name) is not None and not replace:
            raise UserError(
                f"the hub has a site {name} already",
                "--replace hands out a new join file for it; with the old one it can connect no more.",
            )
        wanted = Site(name=name, nkey="", kbs=tuple(check_kb_name(kb) for kb in kbs or ()), link=link)
        new, bundle = new_site(folder, old, wanted)
        # The file first: a site whose join file was never written could not be told from one that waits.
        bundle.write(file)
        running = asyncio.run(change_fleet(folder, old, new))
    STDOUT.print(f"[green]{name} may join[/] {_effect(running)}. The join file is [bold]{file}[/] (mode 0600).")
    if not wanted.kbs:
        STDOUT.print("[yellow]It takes no knowledge base of the hub[/]: name them with --kb if it should.")
    STDOUT.print(
        "Bring it to the site as you would a password, and there:\n"
        f"  [cyan]causeway up site --join {file.name}[/]   (afterwards `causeway up site` is enough)",
    )


def remove(name: Name, data: HubData = DEFAULT_HUB_FOLDER) -> None:
    """Cut a site off for good. What it has shared stays at the hub; the site itself goes on by itself."""
    folder = SiteFolder(data)
    with changing(folder):
        old = read_fleet(folder)
        if old.site(name) is None:
            raise UserError(f"the hub has no site {name}", _there_is(old))
        running = asyncio.run(change_fleet(folder, old, old.without_site(name)))
    STDOUT.print(f"{name} is cut off {_effect(running)}. What it shared stays.")


def list_sites(as_json: Json = False, data: HubData = DEFAULT_HUB_FOLDER) -> None:
    """List the sites of the hub."""
    sites = read_fleet(SiteFolder(data)).sites
    if as_json:
        print_json([{"name": site.name, "link": site.link.value, "kbs": site.kbs, "nkey": site.nkey} for site in sites])
        return
    if not sites:
        STDOUT.print("No site yet: causeway site add NAME")
        return
    table = Table("site", "link", "takes", "public key")
    for site in sites:
        table.add_row(site.name, site.link.value, ", ".join(site.kbs) or "nothing", site.nkey)
    STDOUT.print(table)


def print_config(
    data: SiteData = DEFAULT_FOLDER,
    config: SiteYaml = None,
    join: Join = None,
    deployment: For = Deployment.PROCESS,
    out: Folder = None,
) -> None:
    """Print the configuration of a site's nats-server, or write it with the secrets that the join file holds."""
    folder = SiteFolder(data)
    value, bundle = joined_site(read_config(config), folder, join)
    put_out(site_files(value, folder, bundle, deployment), out)


def _effect(running: bool) -> str:
    return "from now on, nothing was restarted" if running else "from the next start of the hub on"


def _there_is(fleet: Fleet) -> str:
    names = ", ".join(site.name for site in fleet.sites)
    return f"There is: {names}." if names else "It has none: causeway site add NAME"
