"""Beside llama.cpp's own converter: the same tensors, bit for bit, and every key it writes, with the same value.

Where the two differ, and why:

- ``ADDED`` lists the keys that only ours writes.
- A pruned Qwen2 whose query heads are not together as wide as the model: theirs writes a ``qwen2`` file that llama.cpp
  then refuses to load; ours writes the ``llama`` architecture, which computes the same with the rows of query and key
  in another order. All other tensors are the same.
- Ours refuses what theirs converts to something else than was trained: no chat template, no end-of-text token, biases
  of the feed-forward part, sliding windows. The tests of ours show each.
"""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="conversion needs requirements-dev.txt")

from convert.gguf import to_gguf
from convert.gguf.writer import TYPES, interleave_pairs
from convert.gguf_file import read_gguf
from tests.helpers.llama_cpp_converter import convert_all
from tests.helpers.qwen2_tokenizer import ROWS, make_qwen2_tokenizer
from tests.helpers.tiny_checkpoint import make_checkpoint, make_llama_tokenizer, make_tokenizer

ADDED = {
    "attention.key_length": "explicit, not derived; theirs writes it where config.json has head_dim",
    "attention.value_length": "as above",
    "rope.dimension_count": "explicit; theirs writes it for llama",
    "vocab_size": "explicit; theirs writes it for llama",
    "tokenizer.ggml.add_bos_token": "explicit, because llama.cpp's own guess depends on the pre-tokenizer",
    "tokenizer.ggml.add_eos_token": "as above",
    "tokenizer.ggml.add_space_prefix": "explicit; theirs writes it for llama where tokenizer_config.json has it",
    "tokenizer.ggml.bos_token_id": "where a checkpoint has none, llama.cpp would take token 11",
    "tokenizer.ggml.eot_token_id": "so that a turn's end stops the answer, whatever ends a text",
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5e5,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}


def qwen2_with_tools():
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["<|fim_prefix|>", "<tool_call>"])
    return tokenizer


def llama3_tokenizer():
    from tokenizers import Regex, pre_tokenizers

    from convert.gguf.vocabulary import PRE_TOKENIZERS

    pattern = next(steps[0] for (steps, _), name in PRE_TOKENIZERS.items() if name == "llama-bpe")
    steps = [
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return make_llama_tokenizer(steps, whole_words=True)


#: Pruned by a half: query heads that are together narrower than the model.
NARROW = {"hidden": 448, "heads": 6, "kv_heads": 2, "ffn": 2432, "head_dim": 64, "dtype": "bfloat16"}
#: Name -> what the checkpoint is, and the pre-tokenizer theirs is told where the tokenizer is made up.
CHECKPOINTS = {
    "tied": (lambda: {"tokenizer": qwen2_with_tools()}, "qwen2"),
    "untied": (lambda: {"tied": False, "dtype": "bfloat16"}, "qwen2"),
    "f16": (lambda: {"head_dim": 16, "dtype": "float16"}, "qwen2"),
    "448": (lambda: {"hidden": 448, "heads": 7, "kv_heads": 1, "ffn": 2432, "dtype": "bfloat16"}, "qwen2"),
    "512": (lambda: {"hidden": 512, "heads": 8, "kv_heads": 2, "ffn": 2560, "dtype": "bfloat16"}, "qwen2"),
    "llama": (lambda: {"llama": True, "tokenizer": llama3_tokenizer(), "tied": False}, "llama-bpe"),
    "llama with biases": (
        lambda: {"llama": True, "tokenizer": llama3_tokenizer(), "attention_bias": True},
        "llama-bpe",
    ),
    "llama 3.2": (
        lambda: {"llama": True, "tokenizer": llama3_tokenizer(), "head_dim": 32, "rope_parameters": LLAMA3},
        "llama-bpe",
    ),
    "narrow heads": (lambda: NARROW, "qwen2"),
    "real vocabulary": (lambda: {"tokenizer": make_qwen2_tokenizer(), "rows": ROWS, "layers": 1}, ""),
}


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Both files of every checkpoint and type: (name, type) -> (ours, theirs)."""
    folder = tmp_path_factory.mktemp("both")
    jobs = []
    for name, (options, pre) in CHECKPOINTS.items():
        try:
            make_checkpoint(folder / name, **options())
        except pytest.skip.Exception:  # Qwen2's vocabulary is not here; the others can be compared
            continue
        sampling = {"temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.05}
        (folder / name / "generation_config.json").write_text(json.dumps(sampling))
        for type in TYPES:
            jobs.append({"folder": folder / name, "out": folder / f"{name}-{type}.theirs", "type": type, "pre": pre})
    convert_all(jobs)
    for job in jobs:
        to_gguf(job["folder"], job["out"].with_suffix(".ours"), type=job["type"])
    return folder


def both(converted, name, type):
    theirs = converted / f"{name}-{type}.theirs"
    if not theirs.is_file():
        pytest.skip("Qwen2's vocabulary is not there")
    return read_gguf(theirs.with_suffix(".ours")), read_gguf(theirs)


def tensors(file):
    """Name -> shape, type and bytes."""
    with file.path.open("rb") as data:
        found = {}
        for tensor in file.tensors:
            data.seek(tensor.start)
            found[tensor.name] = (tensor.shape, tensor.type, data.read(tensor.bytes))
        return found


SAME = [name for name in CHECKPOINTS if name != "narrow heads"]


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", SAME)
def test_tensors_are_the_same_bit_for_bit(converted, name, type):
    ours, theirs = (tensors(file) for file in both(converted, name, type))
    assert ours.keys() == theirs.keys()
    assert [tensor for tensor in ours if ours[tensor] != theirs[tensor]] == []


@pytest.mark.parametrize("type", TYPES)
def test_of_narrow_heads_only_the_order_of_query_and_key_rows_differs(converted, type):
    ours, theirs = (tensors(file) for file in both(converted, "narrow heads", type))
    assert ours.keys() == theirs.keys()
    turned = {tensor for tensor in ours if ours[tensor] != theirs[tensor]}
    assert turned == {f"blk.{i}.attn_{which}.{part}" for i in (0, 1) for which in "qk" for part in ("weight", "bias")}
    for tensor in turned:
        shape, kind, data = theirs[tensor]
        rows = np.frombuffer(data, np.uint8).reshape(shape[-1], -1)
        assert ours[tensor] == (shape, kind, interleave_pairs(rows, NARROW["head_dim"]).tobytes())


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", SAME)
def test_every_key_of_theirs_is_in_ours_with_its_value(converted, name, type):
    ours, theirs = (file.metadata for file in both(converted, name, type))
    assert len(theirs) > 20
    assert {key: ours.get(key) for key in theirs} == theirs
    added = {key.removeprefix(f"{ours['general.architecture']}.") for key in ours.keys() - theirs.keys()}
    assert added <= ADDED.keys()
