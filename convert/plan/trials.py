"""Try a shape before a model of it exists: save a small model and load it; compute the sizes of quantised files.

The saved model has two layers of random weights, and is loaded in Hugging Face and llama.cpp. Two layers contain every
kind of tensor at its full width, so that the result is valid for any depth. The vocabulary is tiny, because no width
depends on it.

For the sizes llama.cpp makes a dry run (``convert.quantize.quantizer``) on a sparse file: its header is that of the
real file, with the whole depth and vocabulary; its weights take no space on the disk and are never read.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models
from tokenizers.pre_tokenizers import ByteLevel

from convert.checkpoint import Checkpoint
from convert.files import scratch_folder
from convert.gguf import add_shape_keys, to_gguf
from convert.gguf.vocabulary import read_vocabulary
from convert.gguf.writer import add_tensor_infos, gguf_tensors
from convert.gguf_file import DEFAULT_ALIGNMENT
from convert.progress import track_progress
from convert.quantize.quantizer import BASE, NEED_IMATRIX, dry_run
from convert.shape import Shape
from copilot import child_process
from copilot.errors import CopilotError

LAYERS = 2
#: Rows of the embedding: 256 bytes, a merged pair of spaces, the end of a turn, and a few unused rows.
ROWS = 288
CONTEXT = 64
TOKENS = tuple(range(0, ROWS, 9))
END_OF_TURN = "<|im_end|>"
#: Limit on the characters of an error message of Hugging Face's, which can fill pages.
REASON = 200
#: ``architectures`` -> ``model_type``.
MODEL_TYPES = {"Qwen2ForCausalLM": "qwen2", "LlamaForCausalLM": "llama"}
#: The types that can be made without an importance matrix.
TYPES = tuple(type for type in BASE if type not in NEED_IMATRIX)


@dataclass(frozen=True)
class FileSize:
    """The size of a shape in one type.

    Attributes:
        file_bytes: size of the whole file; without the tokenizer where that is not known.
        bits_per_weight: mean over the tensors, without the header.
        fallbacks: count of the tensors whose rows do not fit the type that llama.cpp wants for them.
        genuine: whether there are none: every tensor has the type that the name of the file states.
    """

    file_bytes: int
    bits_per_weight: float
    fallbacks: int
    genuine: bool


def try_hugging_face(shapes: Sequence[Shape]) -> list[str | None]:
    """Try to reload each shape in Hugging Face.

    One child process tries all of them, because importing torch takes seconds.

    Returns:
        For each shape, why the weights do not come back bit for bit; None where they do.

    Raises:
        ConvertError: there is not enough disk space or memory.
    """
    with scratch_folder() as folder:
        return child_process.run(_reload_shapes, list(shapes), folder)


def try_llama_cpp(shape: Shape) -> str | None:
    """Try to run a shape in llama.cpp.

    Returns:
        Why llama.cpp does not compute with this shape; None where it does.

    Raises:
        ConvertError: there is not enough disk space.
    """
    with scratch_folder() as folder:
        write_test_checkpoint(shape, folder)
        to_gguf(folder, folder / "trial.gguf", type="f16")
        try:
            return child_process.run(check_computation, folder / "trial.gguf")
        except CopilotError as error:  # llama.cpp ended the process
            return str(error)


def write_test_checkpoint(shape: Shape, folder: Path) -> None:
    """Write a checkpoint of two layers of this shape, with a tokenizer of bytes, to a folder."""
    tried = replace(shape, layers=LAYERS, vocabulary=ROWS, context=CONTEXT)
    random = np.random.default_rng(0)
    tensors = {
        name: (random.standard_normal(size, np.float32) * 0.05 + name.endswith("norm.weight")).astype(np.float16)
        for name, size in tried.tensors().items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(make_config(tried)), encoding="utf-8")
    letters = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    space = "Ġ"
    tokenizer = Tokenizer(models.BPE(letters | {2 * space: len(letters)}, [(space, space)]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([END_OF_TURN])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"eos_token": END_OF_TURN, "chat_template": "{{ messages }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def make_config(shape: Shape) -> dict[str, Any]:
    """Return the ``config.json`` of a checkpoint of this shape; it always states the width of a head."""
    scaling = shape.rope_scaling.as_config() if shape.rope_scaling else {}
    return {
        "architectures": [shape.architecture],
        "model_type": MODEL_TYPES[shape.architecture],
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.rms_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_base} | scaling,
        "tie_word_embeddings": shape.tied,
        "attention_bias": shape.biased,
        "dtype": "float16",
    }


def _reload_shapes(shapes: Sequence[Shape], folder: Path) -> list[str | None]:
    reasons = []
    for shape in track_progress(shapes, "Trying Hugging Face", len(shapes)):
        with scratch_folder(folder) as inner:
            write_test_checkpoint(shape, inner)
            reasons.append(check_reload(inner))
    return reasons


def check_reload(checkpoint: Path) -> str | None:
    """Load a checkpoint with Hugging Face, save it, and load it again.

    Returns:
        Why its weights do not come back bit for bit; None where they do.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for folder in (checkpoint, checkpoint / "saved"):
        try:
            model, report = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float16, local_files_only=True, output_loading_info=True
            )
        except Exception as error:  # every layer below has its own kinds of errors
            return f"Hugging Face does not load it: {' '.join(str(error).split())[:REASON]}"
        for kind in ("missing_keys", "mismatched_keys", "unexpected_keys"):
            if names := report[kind]:
                return f"Hugging Face does not load {min(map(str, names))} as it was saved."
        model.save_pretrained(checkpoint / "saved")
    reloaded = model.state_dict()
    written = load_file(checkpoint / "model.safetensors")
    changed = [name for name, tensor in written.items() if not torch.equal(reloaded[name], tensor)]
    return f"Hugging Face changes {min(changed)}." if changed else None


def check_computation(path: Path) -> str | None:
    """Load a GGUF file with llama.cpp and compute logits; only for a child process, because llama.cpp may crash.

    Returns:
        Why it cannot be loaded or its logits are not finite; None where they are.
    """
    from copilot.llm.llama_cpp import NativeModel

    try:
        model = NativeModel(path, threads=1, context=CONTEXT, exact=True)
    except ValueError:
        return "llama.cpp does not load it."
    finite = all(np.isfinite(row).all() for row in model.all_logits(TOKENS))
    return None if finite else "llama.cpp computes numbers that are not finite."


def compute_sizes(shapes: Sequence[Shape], added: int = 0) -> list[dict[str, FileSize]]:
    """Compute the size of each shape in each of ``TYPES``, in one child process.

    Args:
        shapes: possible shapes (``find_obstacle`` finds nothing).
        added: bytes that the tokenizer adds to each file (``tokenizer_bytes``).

    Returns:
        For each shape, type -> size.

    Raises:
        ConvertError: llama.cpp refuses a shape, or a header cannot be written.
    """
    with scratch_folder() as folder:
        return child_process.run(_compute_all_sizes, list(shapes), added, folder)


def tokenizer_bytes(folder: Path, rows: int) -> int:
    """Return the bytes that a tokenizer adds to a GGUF file.

    Args:
        folder: folder with the tokenizer.
        rows: count of the embedding's rows.

    Raises:
        ConvertError: there is no tokenizer, or it cannot be converted.
    """
    vocabulary = read_vocabulary(folder, rows)
    with scratch_folder() as scratch:
        path = scratch / "tokenizer.gguf"
        writer = gguf.GGUFWriter(path, "qwen2")
        vocabulary.add_to(writer)
        _write_header(writer)
        return path.stat().st_size


def _compute_all_sizes(shapes: Sequence[Shape], added: int, folder: Path) -> list[dict[str, FileSize]]:
    found = []
    with scratch_folder(folder) as inner:
        path = inner / "hole.gguf"
        for shape in track_progress(shapes, "Asking for sizes", len(shapes)):
            header, sizes = _write_sparse_gguf(shape, path) + added, {}
            for type in TYPES:
                tensors = dry_run(path, type)
                fallbacks = sum(tensor.fell_back for tensor in tensors)
                used_bytes, numbers = sum(t.bytes for t in tensors), sum(prod(t.shape) for t in tensors)
                sizes[type] = FileSize(
                    file_bytes=header + sum(_align(tensor.bytes) for tensor in tensors),
                    bits_per_weight=round(8 * used_bytes / numbers, 3),
                    fallbacks=fallbacks,
                    genuine=fallbacks == 0,
                )
            found.append(sizes)
    return found


def _write_sparse_gguf(shape: Shape, path: Path) -> int:
    """Write the GGUF file of a model of this shape in F16, without its tokenizer, and with a hole for its weights.

    Returns:
        Size of the header, in bytes.
    """
    writer = gguf.GGUFWriter(path, shape.gguf_architecture)
    tensors = gguf_tensors(Checkpoint(path.parent, {}, shape, {}), gguf.GGMLQuantizationType.F16)
    add_tensor_infos(writer, tensors)
    add_shape_keys(writer, shape)
    _write_header(writer)
    header = _align(path.stat().st_size)
    os.truncate(path, header + sum(_align(tensor.nbytes) for tensor in tensors))
    return header


def _write_header(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()


def _align(size: int) -> int:
    """Round a size in bytes up to the alignment of tensors."""
    return -(-size // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT
