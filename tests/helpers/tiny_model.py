"""Write a Qwen2 model of a few thousand random weights as a GGUF file that llama.cpp loads: the tests' model.

Its tokenizer knows the 256 bytes, a few whole words (``WORDS``) and three control tokens. What it writes is noise,
unless it is told what to say.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

WORDS = (" joy", " fear", " anger", "Emotion", "user", "system", "assistant")
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

Weights = npt.NDArray[np.floating]


def write_tiny_gguf(
    path: Path,
    *,
    metadata: Mapping[str, str | int | float | list[str]] | None = None,
    layers: int = 2,
    hidden: int = 64,
    context: int = 2048,
    seed: int = 0,
    chat_template: str = CHATML,
    says: str = "",
) -> Path:
    """Write the model and return ``path``.

    Args:
        path: where to.
        metadata: further keys with their full names, e.g. ``{"eeg_copilot.codec": "bands"}``.
        layers: transformer blocks.
        hidden: width, a multiple of 64; four times as much in the feed-forward part.
        context: tokens the file claims to have been trained for.
        seed: of the weights.
        chat_template: Jinja; empty writes none.
        says: text (no byte of it twice, no newline) that greedy decoding writes as the whole answer.
    """
    tokens, merges = vocabulary()
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("tiny")
    _add_shape(writer, layers, hidden, context)
    _add_tokenizer(writer, tokens, merges, chat_template)
    for key, value in (metadata or {}).items():
        writer.add_key_value(key, value, gguf.GGUFValueType.get_type(value))
    weights = _weights(len(tokens), layers, hidden, np.random.default_rng(seed))
    if says:
        _make_it_say(says, tokens, weights)
    for name, tensor in weights.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens (bytes, words and their beginnings, control) and the merges that make the words."""
    tokens, merges = list(_byte_letters()), []
    for word in WORDS:
        letters = [tokens[byte] for byte in word.encode()]
        for end in range(1, len(letters)):
            if (merged := "".join(letters[: end + 1])) not in tokens:
                tokens.append(merged)
                merges.append(f"{''.join(letters[:end])} {letters[end]}")
    return [*tokens, *CONTROL], merges


def _byte_letters() -> list[str]:
    """The printable letter that stands for each byte in a byte-level BPE (GPT-2's table)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


def _add_shape(writer: gguf.GGUFWriter, layers: int, hidden: int, context: int) -> None:
    writer.add_context_length(context)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(4 * hidden)
    writer.add_block_count(layers)
    writer.add_head_count(hidden // 32)
    writer.add_head_count_kv(hidden // 64)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)


def _add_tokenizer(writer: gguf.GGUFWriter, tokens: list[str], merges: list[str], chat_template: str) -> None:
    kinds = [gguf.TokenType.CONTROL if token in CONTROL else gguf.TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    if chat_template:
        writer.add_chat_template(chat_template)


def _weights(vocabulary_size: int, layers: int, hidden: int, random: np.random.Generator) -> dict[str, Weights]:
    """Random matrices (float16) and vectors (float32) under llama.cpp's names; the output is not tied."""

    def matrix(rows: int, columns: int) -> npt.NDArray[np.float16]:
        return np.asarray(random.standard_normal((rows, columns)) / np.sqrt(columns), np.float16)

    weights = {"token_embd.weight": matrix(vocabulary_size, hidden) * np.float16(np.sqrt(hidden))}
    for block in range(layers):
        shapes = {
            "attn_q": (hidden, hidden),
            "attn_k": (hidden // 2, hidden),
            "attn_v": (hidden // 2, hidden),
            "attn_output": (hidden, hidden),
            "ffn_gate": (4 * hidden, hidden),
            "ffn_up": (4 * hidden, hidden),
            "ffn_down": (hidden, 4 * hidden),
        }
        for name, shape in shapes.items():
            weights[f"blk.{block}.{name}.weight"] = matrix(*shape)
        for name in ("attn_q", "attn_k", "attn_v"):
            weights[f"blk.{block}.{name}.bias"] = np.zeros(shapes[name][0], np.float32)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"blk.{block}.{name}.weight"] = np.ones(hidden, np.float32)
    return weights | {
        "output_norm.weight": np.ones(hidden, np.float32),
        "output.weight": matrix(vocabulary_size, hidden) * np.float16(3),
    }


def _make_it_say(text: str, tokens: list[str], weights: dict[str, Weights]) -> None:
    """Silence the blocks, so that the next token depends on the last alone, and make a chain of ``text``'s bytes."""
    for name in weights:
        if "attn_output" in name or "ffn_down" in name:
            weights[name][:] = 0
    chain = [ord("\n"), *text.encode(), tokens.index("<|im_end|>")]
    for this, following in itertools.pairwise(chain):
        weights["output.weight"][following] = weights["token_embd.weight"][this]
