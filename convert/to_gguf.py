"""Write a Qwen2 checkpoint as one GGUF file that llama.cpp, Ollama and LM Studio run.

``python -m convert gguf MODEL_DIR --out model.gguf --type f16 --metadata keys.json``

Name, licence, description and languages come from the front matter of the checkpoint's ``README.md``, where the Hugging
Face Hub keeps them. The file's layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import yaml  # type: ignore[import-untyped]

from convert.checkpoint import Checkpoint, Shape
from convert.files import ConvertError, written_whole
from convert.vocabulary import read_vocabulary
from copilot.engine.base import METADATA_PREFIX

log = logging.getLogger(__name__)

TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}


def to_gguf(model_dir: Path, out: Path, *, type: str = "f16", metadata: Mapping[str, str] | None = None) -> None:
    """Convert the checkpoint in ``model_dir`` to the file ``out``.

    Tensors go from file to file one at a time. Matrices get the ``type`` asked for, norms and biases stay F32.

    Args:
        type: ``f32``, ``f16`` or ``bf16``.
        metadata: written as ``eeg_copilot.<name>``; the names come without that prefix.

    Raises:
        ConvertError: the checkpoint is incomplete, not a Qwen2 one, or the file cannot be written.
    """
    if type not in TYPES:
        raise ConvertError(f"Type {type!r} is not known; it can be {', '.join(TYPES)}.")
    checkpoint = Checkpoint.open(model_dir)
    shape = checkpoint.shape
    vocabulary = read_vocabulary(model_dir, shape.vocabulary)
    with written_whole(out) as partial:
        writer = gguf.GGUFWriter(partial, "qwen2")
        try:
            _add_general(writer, model_dir, shape, type)
            _add_shape(writer, shape)
            vocabulary.add_to(writer)
            for name, value in (metadata or {}).items():
                writer.add_string(METADATA_PREFIX + name, value)
            _write_tensors(writer, checkpoint, TYPES[type][0])
        finally:
            writer.close()


def _add_general(writer: gguf.GGUFWriter, model_dir: Path, shape: Shape, type: str) -> None:
    parameters = sum(int(np.prod(size)) for size in shape.tensors().values())
    try:
        card = gguf.Metadata.load(model_path=model_dir, total_params=parameters)
    except yaml.YAMLError as error:
        raise ConvertError(f"The front matter of {model_dir / 'README.md'} is not valid YAML.") from error
    card.size_label = card.size_label or gguf.size_label(parameters, parameters, 0, 0)
    writer.add_type("model")
    card.set_gguf_meta_model(writer)
    writer.add_file_type(TYPES[type][1])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(shape.rms_eps)
    writer.add_rope_freq_base(shape.rope_base)


def _write_tensors(writer: gguf.GGUFWriter, checkpoint: Checkpoint, matrix_type: gguf.GGMLQuantizationType) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, checkpoint.shape.layers)
    sizes = checkpoint.shape.tensors()
    kinds = {name: matrix_type if len(size) > 1 else gguf.GGMLQuantizationType.F32 for name, size in sizes.items()}
    for name, kind in kinds.items():
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        bytes_each = gguf.GGML_QUANT_SIZES[kind][1]
        writer.add_tensor_info(stored, sizes[name], np.dtype(np.float32), int(np.prod(sizes[name])) * bytes_each, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for i, (name, kind) in enumerate(kinds.items(), 1):
        log.info("[%4d/%4d] %s %s %s", i, len(kinds), name, sizes[name], kind.name)
        writer.write_tensor_data(_cast(name, checkpoint.rows(name), kind))


def _cast(name: str, array: npt.NDArray[np.float32], kind: gguf.GGMLQuantizationType) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        cast: npt.NDArray[Any] = gguf.quantize(array, kind)
    if not np.isfinite(cast if cast.dtype != np.uint8 else array).all():
        raise ConvertError(f"{name} holds numbers that are not finite or do not fit {kind.name}; try f32 or bf16.")
    return cast
