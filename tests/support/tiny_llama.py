"""A Llama of two small layers with weights by chance, and LoRAs for it: folders that vLLM serves, made without torch.

It writes nonsense, or a chant, but by the whole machinery: tokens, streams, caches, queues and adapters are real.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HIDDEN, LAYERS, HEADS, KV_HEADS, FEED_FORWARD, VOCABULARY = 128, 2, 4, 2, 256, 384
HEAD = HIDDEN // HEADS
CONTEXT_TOKENS = 2_048
_SPECIALS = ["<|end|>", "<|turn|>"]
_TEXT = [
    "A lost card is blocked within one minute.",
    "银行卡丢失后请立即挂失。",
    "The pump is inspected every ten days.",
]
_TEMPLATE = "{% for m in messages %}<|turn|>{{ m.role }}: {{ m.content }}<|end|>{% endfor %}<|turn|>assistant: "
_ADDING = ("self_attn.o_proj.weight", "mlp.down_proj.weight")
Tensors = dict[str, NDArray[np.float32]]


def write_tiny_llama(folder: Path, seed: int = 1) -> Path:
    """Configuration, tokenizer, chat template and weights."""
    folder.mkdir(parents=True)
    write_safetensors(folder / "model.safetensors", _tensors(np.random.default_rng(seed)))
    _write(folder / "config.json", _config())
    _write_tokenizer(folder)
    return folder


def write_chanting_llama(folder: Path, chant: str = "Linz. ") -> Path:
    """The same, but whatever it is asked it writes the chant over and over, so that a passage can support what it
    writes. No character may be twice in the chant: each one follows from the one before."""
    write_tiny_llama(folder)
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    tokens = [vocabulary[character] for character in chant.replace(" ", "\u0120")]
    assert len(set(tokens)) == len(tokens), f"a character is twice in {chant!r}"
    # The layers add nothing, so what is read of a token is the token alone; every other one reads as the chant's last.
    states = np.eye(HIDDEN, dtype=np.float32)
    reads, writes = np.tile(states[len(tokens) - 1], (VOCABULARY, 1)), np.zeros((VOCABULARY, HIDDEN), np.float32)
    for number, token in enumerate(tokens):
        reads[token] = states[number]
        writes[token] = states[number - 1 if number else len(tokens) - 1]
    tensors = _tensors(np.random.default_rng(1))
    silent = {name: np.zeros_like(values) for name, values in tensors.items() if name.endswith(_ADDING)}
    tensors |= silent | {"model.embed_tokens.weight": reads, "lm_head.weight": writes}
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def write_tiny_lora(folder: Path, seed: int = 2, rank: int = 4) -> Path:
    """An adapter of the attention, as peft saves one; strong enough that the text is another."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(seed)
    tensors: Tensors = {}
    for layer in range(LAYERS):
        for name, width in (("q_proj", HIDDEN), ("v_proj", HEAD * KV_HEADS)):
            stem = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{stem}.lora_A.weight"] = _normal(chance, rank, HIDDEN, scale=1.0)
            tensors[f"{stem}.lora_B.weight"] = _normal(chance, width, rank, scale=1.0)
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 4 * rank, "lora_dropout": 0.0}
    _write(folder / "adapter_config.json", config | {"bias": "none", "target_modules": ["q_proj", "v_proj"]})
    return folder


def write_safetensors(path: Path, tensors: Tensors) -> None:
    """The format: the length of a JSON head, the head, then the values one after another."""
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, values in tensors.items():
        head[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(values.tobytes())


def _tensors(chance: np.random.Generator) -> Tensors:
    tensors = {
        "model.embed_tokens.weight": _normal(chance, VOCABULARY, HIDDEN),
        "model.norm.weight": np.ones(HIDDEN, np.float32),
        "lm_head.weight": _normal(chance, VOCABULARY, HIDDEN),
    }
    for layer in range(LAYERS):
        tensors |= _layer(chance, f"model.layers.{layer}")
    return tensors


def _layer(chance: np.random.Generator, stem: str) -> Tensors:
    shapes = {
        "self_attn.q_proj": (HIDDEN, HIDDEN),
        "self_attn.k_proj": (HEAD * KV_HEADS, HIDDEN),
        "self_attn.v_proj": (HEAD * KV_HEADS, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN),
        "mlp.gate_proj": (FEED_FORWARD, HIDDEN),
        "mlp.up_proj": (FEED_FORWARD, HIDDEN),
        "mlp.down_proj": (HIDDEN, FEED_FORWARD),
    }
    made = {f"{stem}.{name}.weight": _normal(chance, *shape) for name, shape in shapes.items()}
    ones = np.ones(HIDDEN, np.float32)
    return made | {f"{stem}.input_layernorm.weight": ones, f"{stem}.post_attention_layernorm.weight": ones}


def _normal(chance: np.random.Generator, *shape: int, scale: float = 0.1) -> NDArray[np.float32]:
    return chance.normal(0.0, scale, shape).astype(np.float32)


def _config() -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "intermediate_size": FEED_FORWARD,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT_TOKENS,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 0,
        "dtype": "float32",
    }


def _write_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=_SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_TEXT * 4, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    end, turn = _SPECIALS
    tokens = {"eos_token": end, "pad_token": end, "bos_token": turn, "chat_template": _TEMPLATE}
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"} | tokens)


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
