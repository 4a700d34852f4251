"""Rendered configuration files, on stdout to be read or in a folder to be used."""

from collections.abc import Mapping
from pathlib import Path

from causeway.cli.console import STDOUT
from causeway.cli.printed_config import secret_names
from causeway.cli.site_folder import write_whole
from causeway.topology.secret_files import write_secret


def put_out(files: Mapping[str, str], folder: Path | None) -> None:
    """Write the files into the folder, or print those that are no secret."""
    if folder is None:
        for name, text in files.items():
            if name not in secret_names():
                STDOUT.print(f"# {name}\n{text}", markup=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if name in secret_names():
            write_secret(folder / name, text.encode())
        else:
            write_whole(folder / name, text.encode())
        STDOUT.print(f"wrote {folder / name}")
