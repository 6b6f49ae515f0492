"""Write a LoRA adapter as a GGUF file, which llama.cpp applies to its base and Ollama's ``ADAPTER`` line names.

``python -m convert gguf MODEL_DIR --adapter ADAPTER_DIR --out adapter.gguf --type f16``

llama.cpp multiplies BA with alpha / rank, and alpha is the same for all modules: any other factor of peft's is
multiplied into B. What such a file cannot contain is refused, because llama.cpp would leave it out silently.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
from gguf.utility import LocalTensor

from convert.checkpoint import read_rows
from convert.files import read_json
from convert.gguf.lora_matrices import LoraPair, read_adapter
from convert.gguf.tensors import ARCHITECTURES, GgufTensor
from convert.gguf.writer import GgufResult, find_types, write_gguf
from convert.rope import interleave_pairs
from convert.shape import Shape

HUB_NAME = re.compile(r"(https?://\S+|[\w-][\w.-]*/[\w-][\w.-]*)")


def adapter_to_gguf(adapter_dir: Path, base_dir: Path, out: Path, *, type: str = "f16") -> GgufResult:
    """Convert an adapter to a GGUF file.

    Args:
        adapter_dir: folder that peft saved the adapter to, with ``adapter_model.safetensors``.
        base_dir: folder of the checkpoint it was trained on; ``config.json`` is enough.
        out: the file to write; an existing file is replaced.
        type: ``f32``, ``f16`` or ``bf16``.

    Raises:
        ConvertError, FileError: the adapter is of another kind, damaged or of another base, or the file
            cannot be written.
    """
    kind, file_type = find_types(type)
    shape = Shape.read(read_json(base_dir / "config.json"))
    alpha, pairs = read_adapter(adapter_dir, base_dir, shape)
    return write_gguf(
        out,
        shape.gguf_architecture,
        type,
        [tensor for pair in pairs for tensor in _make_tensors(pair, alpha, shape, kind)],
        partial(_add_keys, adapter_dir, base_dir, alpha, file_type),
        f"The front matter of README.md of {adapter_dir} or {base_dir}",
    )


def _make_tensors(pair: LoraPair, alpha: float, shape: Shape, kind: gguf.GGMLQuantizationType) -> list[GgufTensor]:
    """Make the tensors A and B of one module, in llama.cpp's names and order of rows."""
    names = gguf.get_tensor_name_map(ARCHITECTURES[shape.gguf_architecture], shape.layers)
    name = f"{names.get_name(pair.module)}.weight"
    turned = shape.gguf_architecture == "llama" and pair.module.endswith((".q_proj", ".k_proj"))
    pieces_of_b = partial(_read_pieces, pair.b, pair.factor(alpha), shape.head_dim if turned else None)
    return [
        GgufTensor(f"{name}.lora_a", pair.a.shape, kind, partial(_read_pieces, pair.a)),
        GgufTensor(f"{name}.lora_b", pair.b.shape, kind, pieces_of_b),
    ]


def _read_pieces(
    stored: LocalTensor, factor: float = 1.0, head_dim: int | None = None
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield a whole matrix times ``factor``, its rows reordered where ``head_dim`` is given."""
    rows = read_rows(stored) * np.float32(factor)
    yield interleave_pairs(rows, head_dim) if head_dim else rows


def _add_keys(
    adapter_dir: Path, base_dir: Path, alpha: float, file_type: gguf.LlamaFileType, writer: gguf.GGUFWriter
) -> None:
    card = gguf.Metadata.load(model_path=adapter_dir, total_params=writer.get_total_parameter_count()[0])
    card.name = card.name or adapter_dir.resolve().name
    if not _names_published_base(adapter_dir):
        base = gguf.Metadata.load(model_path=base_dir)
        card.base_models = [{"name": base.name or base_dir.resolve().name}]
        card.tags = [tag for tag in card.tags or [] if not str(tag).startswith("base_model:")] or None
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    card.set_gguf_meta_model(writer)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _names_published_base(adapter_dir: Path) -> bool:
    """Return whether the adapter's card names its base as the Hub does; peft may write a local path instead."""
    named = gguf.Metadata.load_model_card(adapter_dir).get("base_model")
    names = named if isinstance(named, list) else [named]
    return all(isinstance(name, str) and HUB_NAME.fullmatch(name) for name in names)
