"""Write a Qwen2 or Llama checkpoint as one GGUF file that llama.cpp, Ollama and LM Studio run.

``python -m convert gguf MODEL_DIR --out model.gguf --type f16 --metadata keys.json``, and for a LoRA adapter of that
model ``python -m convert gguf MODEL_DIR --adapter ADAPTER_DIR --out adapter.gguf``.

Name, licence, description and languages are read from the front matter of the checkpoint's ``README.md``, as on the
Hugging Face Hub.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gguf

from convert.checkpoint import Checkpoint
from convert.files import ConvertError, read_json
from convert.gguf.adapter import adapter_to_gguf
from convert.gguf.vocabulary import read_vocabulary
from convert.gguf.writer import TYPES, GgufResult, find_types, gguf_tensors, write_gguf
from convert.shape import Shape
from copilot.llm.base import METADATA_PREFIX


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("model_dir", type=Path, metavar="MODEL_DIR", help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="GGUF file to write")
    parser.add_argument("--type", choices=TYPES, default="f16", help="of the matrices (default: %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--metadata", type=Path, metavar="JSON", help=f"texts to write as {METADATA_PREFIX}* keys")
    what.add_argument("--adapter", type=Path, metavar="DIR", help="write this LoRA adapter of the model instead")
    parser.set_defaults(run=_run)


def _run(*, adapter: Path | None, metadata: Path | None, model_dir: Path, out: Path, type: str) -> GgufResult:
    """Run the verb with the options of the command line."""
    if adapter:
        return adapter_to_gguf(adapter, model_dir, out, type=type)
    return to_gguf(model_dir, out, type=type, metadata=read_json(metadata) if metadata else {})


def to_gguf(
    model_dir: Path,
    out: Path,
    *,
    type: str = "f16",
    metadata: Mapping[str, str] | None = None,
    name: str | None = None,
) -> GgufResult:
    """Convert a checkpoint to a GGUF file.

    A part of a tensor is in memory at a time. Matrices are stored in ``type``; norms and biases stay F32.

    Args:
        model_dir: folder with ``config.json``, safetensors, tokenizer and chat template, as ``save_pretrained`` writes
            them.
        out: the file to write; an existing file is replaced.
        type: ``f32``, ``f16`` or ``bf16``.
        metadata: texts to write as ``eeg_copilot.<name>``, by their names without that prefix.
        name: the model's name where the front matter of ``README.md`` has none; by default the folder's.

    Raises:
        ConvertError, FileError: the checkpoint is incomplete, damaged or of another architecture, or the file
            cannot be written.
    """
    matrices, file_type = find_types(type)
    texts = metadata or {}
    if not all(isinstance(value, str) for value in texts.values()):
        raise ConvertError("The metadata may contain only text values; put the others in quotes.")
    checkpoint = Checkpoint.open(model_dir)
    if out.exists() and out.suffix != ".gguf" and out.resolve().parent == model_dir.resolve():
        raise ConvertError(f"{out} belongs to the checkpoint; name a file that ends in .gguf.")
    return write_gguf(
        out,
        checkpoint.shape.gguf_architecture,
        type,
        gguf_tensors(checkpoint, matrices),
        partial(_add_keys, checkpoint, file_type, texts, name),
        f"README.md or generation_config.json of {model_dir}",
    )


def _add_keys(
    checkpoint: Checkpoint,
    file_type: gguf.LlamaFileType,
    texts: Mapping[str, str],
    name: str | None,
    writer: gguf.GGUFWriter,
) -> None:
    _add_general_keys(writer, checkpoint, file_type, name)
    add_shape_keys(writer, checkpoint.shape)
    read_vocabulary(checkpoint.folder, checkpoint.shape.vocabulary).add_to(writer)
    for key, value in texts.items():
        writer.add_string(METADATA_PREFIX + key, value)


def _add_general_keys(
    writer: gguf.GGUFWriter, checkpoint: Checkpoint, file_type: gguf.LlamaFileType, name: str | None
) -> None:
    folder, parameters = checkpoint.folder, checkpoint.shape.parameters
    card = gguf.Metadata.load(model_path=folder, total_params=parameters)
    front: dict[str, Any] = gguf.Metadata.load_model_card(folder)
    # Without these keys the gguf package makes a name up from the folder's.
    card.name = front.get("name") or front.get("model_name") or name or card.name or folder.resolve().name
    card.size_label = card.size_label or gguf.size_label(parameters, parameters, 0, 0)
    if (folder / "generation_config.json").is_file() and card.sampling_penalty_repeat is None:
        # The gguf package looks only for llama.cpp's name of it.
        card.sampling_penalty_repeat = read_json(folder / "generation_config.json").get("repetition_penalty")
    writer.add_type("model")
    card.set_gguf_meta_model(writer)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def add_shape_keys(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Write the keys that describe the model's shape to llama.cpp."""
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.rms_eps)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_base)
