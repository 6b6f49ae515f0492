"""Write a Qwen2 or Llama checkpoint as one GGUF file that llama.cpp, Ollama and LM Studio run.

``python -m convert gguf MODEL_DIR --out model.gguf --type f16 --metadata keys.json``, and for a LoRA adapter of that
model ``python -m convert gguf MODEL_DIR --adapter ADAPTER_DIR --out adapter.gguf``.

Name, licence, description and languages come from the front matter of the checkpoint's ``README.md``, where the Hugging
Face Hub keeps them. The file's layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import argparse
import hashlib
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import yaml  # type: ignore[import-untyped]

from convert.checkpoint import Checkpoint
from convert.files import ConvertError, read_json, written_whole
from convert.gguf_tensors import gguf_tensors
from convert.progress import each
from convert.report import Report
from convert.shape import Shape
from convert.vocabulary import read_vocabulary
from copilot.engine.base import METADATA_PREFIX

TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}


@dataclass(frozen=True)
class Converted:
    """A file that was written.

    Attributes:
        file: its path.
        architecture: what llama.cpp computes it as.
        type: of the matrices.
        tensors: how many.
        parameters: numbers in the model.
        bytes: of the whole file.
        sha256: of the whole file.
        seconds: the conversion took, on this machine.
    """

    file: str
    architecture: str
    type: str
    tensors: int
    parameters: int
    bytes: int
    sha256: str
    seconds: float

    @property
    def passed(self) -> bool:
        """A file that could not be written raises instead."""
        return True

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{self.file}: {self.bytes / 1e6:.1f} MB in {self.seconds:.1f} s",
            f"{self.architecture}, {self.tensors} tensors, {self.parameters:,} parameters, matrices in {self.type}",
            f"sha256 {self.sha256}",
        ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command line takes."""
    parser.add_argument("model_dir", type=Path, metavar="MODEL_DIR", help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="GGUF file to write")
    parser.add_argument("--type", choices=TYPES, default="f16", help="of the matrices (default: %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--metadata", type=Path, metavar="JSON", help=f"texts to write as {METADATA_PREFIX}* keys")
    what.add_argument("--adapter", type=Path, metavar="DIR", help="write this LoRA adapter of the model instead")


def run(options: argparse.Namespace) -> Report:
    """Convert what the command line names."""
    if options.adapter:
        from convert.adapter_to_gguf import adapter_to_gguf

        return adapter_to_gguf(options.adapter, options.model_dir, options.out, type=options.type)
    metadata = read_json(options.metadata) if options.metadata else {}
    return to_gguf(options.model_dir, options.out, type=options.type, metadata=metadata)


def to_gguf(model_dir: Path, out: Path, *, type: str = "f16", metadata: Mapping[str, str] | None = None) -> Converted:
    """Convert the checkpoint in ``model_dir`` to the file ``out``.

    Numbers go from file to file a piece at a time. Matrices get the ``type`` asked for, norms and biases stay F32.

    Args:
        model_dir: ``config.json``, safetensors, tokenizer and chat template, as ``save_pretrained`` writes them.
        out: replaced if it is there.
        type: ``f32``, ``f16`` or ``bf16``.
        metadata: written as ``eeg_copilot.<name>``; the names come without that prefix.

    Raises:
        ConvertError: the checkpoint is incomplete, damaged or of another architecture, or the file cannot be written.
    """
    begun = time.monotonic()
    if type not in TYPES:
        raise ConvertError(f"Type {type!r} is not known; it can be {', '.join(TYPES)}.")
    if not all(isinstance(value, str) for value in (metadata or {}).values()):
        raise ConvertError("The metadata may hold only text values; put the others in quotes.")
    checkpoint = Checkpoint.open(model_dir)
    if out.exists() and out.suffix != ".gguf" and out.resolve().parent == model_dir.resolve():
        raise ConvertError(f"{out} belongs to the checkpoint; name a file that ends in .gguf.")
    with written_whole(out) as partial:
        tensors = _write(checkpoint, partial, type, metadata or {})
        with partial.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = partial.stat().st_size
    return Converted(
        file=str(out),
        architecture=checkpoint.shape.gguf_architecture,
        type=type,
        tensors=tensors,
        parameters=checkpoint.shape.parameters,
        bytes=size,
        sha256=sha256,
        seconds=round(time.monotonic() - begun, 3),
    )


def _write(checkpoint: Checkpoint, path: Path, type: str, metadata: Mapping[str, str]) -> int:
    """Write the whole file; header first, so that the vocabulary is out of memory before the tensors come."""
    shape = checkpoint.shape
    writer = gguf.GGUFWriter(path, shape.gguf_architecture)
    try:
        tensors = gguf_tensors(checkpoint, TYPES[type][0])
        for tensor in tensors:
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.nbytes, tensor.type)
        _write_keys(writer, checkpoint, type, metadata)
        writer.write_ti_data_to_file()
        for tensor in each(tensors, "Writing tensors", len(tensors)):
            writer.write_tensor_data(tensor)
    finally:
        writer.close()
    return len(tensors)


def _write_keys(writer: gguf.GGUFWriter, checkpoint: Checkpoint, type: str, metadata: Mapping[str, str]) -> None:
    folder = checkpoint.folder
    try:
        _add_general(writer, checkpoint, TYPES[type][1])
        add_shape(writer, checkpoint.shape)
        read_vocabulary(folder, checkpoint.shape.vocabulary).add_to(writer)
        for name, value in metadata.items():
            writer.add_string(METADATA_PREFIX + name, value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
    except ConvertError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
        raise ConvertError(f"README.md or generation_config.json of {folder} holds what they cannot hold.") from error
    writer.kv_data[0].clear()


def _add_general(writer: gguf.GGUFWriter, checkpoint: Checkpoint, file_type: gguf.LlamaFileType) -> None:
    folder, parameters = checkpoint.folder, checkpoint.shape.parameters
    card = gguf.Metadata.load(model_path=folder, total_params=parameters)
    card.name = card.name or folder.resolve().name
    card.size_label = card.size_label or gguf.size_label(parameters, parameters, 0, 0)
    if (folder / "generation_config.json").is_file() and card.sampling_penalty_repeat is None:
        # The package looks for llama.cpp's name of it only.
        card.sampling_penalty_repeat = read_json(folder / "generation_config.json").get("repetition_penalty")
    writer.add_type("model")
    card.set_gguf_meta_model(writer)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Write the keys from which llama.cpp knows the model's shape."""
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
