"""A vault whose process is killed in the middle of writing is whole, at one of its commits."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from causeway.edge_inference.vault_reader import VaultReader
from tests.support.knowledge_builders import KB, open_vault

_WRITER = """
import sys
from pathlib import Path
from tests.support.knowledge_builders import document, open_vault
vault = open_vault(Path(sys.argv[1]))
number = vault.state.seq // 10
while True:
    number += 1
    texts = [f"{number} text {n}" * 20 for n in range(9)]
    vault.apply(document(f"d{number % 25}", texts, number=number, seq=number * 10))
    print(vault.state.seq, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_leaves_every_commit_that_it_told_of(tmp_path: Path, seed: int) -> None:
    commits = random.Random(seed).randrange(2, 30)
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(commits)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    rest = writer.stdout.read().split(b"\n")[:-1]
    told = int(rest[-1]) if rest else told

    vault = open_vault(tmp_path)
    vault.verify()
    assert vault.state.seq in {told, told + 10}
    last = (vault.state.seq - 9) // 10
    assert vault.counts()[1] == min(last, 25)
    named = list(VaultReader(vault).named_chunks(KB))
    assert len(named) == 9 * min(last, 25)
