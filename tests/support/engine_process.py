"""An engine as the hub runs it: found as hub.yaml says, started by the same command, asked as cloud-inference asks.

with engine_process(EngineConfig(kind=EngineKind.VLLM, model=str(folder)), tmp_path) as process:
    async with process.client() as client: ...
"""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from causeway.cli.engine_command import Engine, engine_argv, engine_environment
from causeway.cli.engine_config import EngineConfig
from causeway.cli.engine_place import find_engine, own_key
from causeway.cli.keys import SiteKeys, make_missing
from causeway.cli.ports import free_port
from causeway.cloud_inference.openai_http import EngineAddress, EngineLimits, OpenAiEngine
from causeway.models.settings import vllm_environment

READY_S_MAX = 600.0
STOP_S_MAX = 90.0
POLL_S = 0.2
HAS_VLLM = (vllm_environment() / "bin" / "python").is_file()
NO_VLLM = f"vLLM is not installed in {vllm_environment().name}: make setup-vllm"

# What admission, alerts and the autoscaler's manifest read of vLLM.
VLLM_METRICS = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:admission_rejections_total",
    "vllm:request_queue_time_seconds_sum",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:prefix_cache_hits_total",
    "vllm:prompt_tokens_cached_total",
)


@dataclass
class EngineProcess:
    """A running one. `ready_s` is how long its start took."""

    engine: Engine
    port: int
    log: Path
    process: subprocess.Popen[bytes]
    ready_s: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def status(self, path: str, key: str = "") -> int:
        """The status of a page, 0 when nothing answers."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=5) as page:
                return int(page.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def page(self, path: str) -> str:
        """A page, with the key."""
        headers = {"Authorization": f"Bearer {self.engine.key}"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=10) as page:
            return bytes(page.read()).decode()

    @asynccontextmanager
    async def client(self, requests_max: int = 64) -> AsyncIterator[OpenAiEngine]:
        """As cloud-inference has one."""
        address = EngineAddress(url=self.url, metrics_url=f"{self.url}/metrics", key=self.engine.key)
        limits = EngineLimits(connect_s=5.0, idle_s=60.0, call_s=20.0, requests_max=requests_max)
        engine = OpenAiEngine(address, limits)
        try:
            yield engine
        finally:
            await engine.close()

    def until_ready(self) -> None:
        """Return once /health says that it is well."""
        began = time.monotonic()
        while self.status("/health") != 200:
            if self.process.poll() is not None or time.monotonic() - began > READY_S_MAX:
                pytest.fail(f"the engine did not start:\n{self.log.read_text(errors='replace')[-4_000:]}")
            time.sleep(POLL_S)
        self.ready_s = time.monotonic() - began

    def stop(self) -> int:
        """SIGTERM, as the supervisor does; its exit code. What is left of its group is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S_MAX)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def engine_process(config: EngineConfig, folder: Path) -> Iterator[EngineProcess]:
    """A started one that is ready, stopped in the end."""
    keys = SiteKeys(folder / "keys")
    make_missing(keys, initialised=False, needed=(keys.engine,))
    engine = find_engine(config, keys)
    engine = replace(engine, key=own_key(engine))
    port, log = free_port(), folder / "engine.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAUSEWAY_")}
    environment |= {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"} | engine_environment(engine)
    with log.open("wb") as output:
        process = subprocess.Popen(
            engine_argv(engine, port),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = EngineProcess(engine=engine, port=port, log=log, process=process)
    try:
        running.until_ready()
        yield running
    finally:
        running.stop()
