"""Write a LoRA adapter as a GGUF file, which llama.cpp puts on top of its base and Ollama's ``ADAPTER`` line takes.

``python -m convert gguf MODEL_DIR --adapter ADAPTER_DIR --out adapter.gguf --type f16``

llama.cpp multiplies BA with alpha / rank, alpha being one number for all: any other factor of peft's goes into B. What
such a file cannot hold is refused, because llama.cpp would leave it out without a word.
"""

import hashlib
import re
import time
from collections.abc import Iterator
from functools import partial
from math import prod
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import yaml  # type: ignore[import-untyped]
from gguf.utility import LocalTensor

from convert.checkpoint import read_rows
from convert.files import ConvertError, read_json, written_whole
from convert.gguf_tensors import ARCHITECTURES, GgufTensor
from convert.lora_pairs import LoraPair, read_adapter
from convert.rope import interleaved
from convert.shape import Shape
from convert.to_gguf import TYPES, Converted

HUB_NAME = re.compile(r"(https?://\S+|[\w-][\w.-]*/[\w-][\w.-]*)")


def adapter_to_gguf(adapter_dir: Path, base_dir: Path, out: Path, *, type: str = "f16") -> Converted:
    """Convert the adapter in ``adapter_dir`` to the file ``out``.

    Args:
        adapter_dir: as peft saves it, with ``adapter_model.safetensors``.
        base_dir: of the checkpoint it was trained on, whose GGUF the file goes with; ``config.json`` is enough.
        out: replaced if it is there.
        type: ``f32``, ``f16`` or ``bf16``.

    Raises:
        ConvertError: not such an adapter, damaged, of another base, or the file cannot be written.
    """
    begun = time.monotonic()
    if type not in TYPES:
        raise ConvertError(f"Type {type!r} is not known; it can be {', '.join(TYPES)}.")
    kind, file_type = TYPES[type]
    shape = Shape.read(read_json(base_dir / "config.json"))
    alpha, pairs = read_adapter(adapter_dir, base_dir, shape)
    tensors = [tensor for pair in pairs for tensor in _tensors(pair, alpha, shape, kind)]
    with written_whole(out) as unfinished:
        writer = gguf.GGUFWriter(unfinished, shape.gguf_architecture)
        try:
            for tensor in tensors:
                writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.nbytes, tensor.type)
            _add_keys(writer, adapter_dir, base_dir, alpha, file_type)
            _write(writer, tensors)
        finally:
            writer.close()
        with unfinished.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = unfinished.stat().st_size
    return Converted(
        file=str(out),
        architecture=shape.gguf_architecture,
        type=type,
        tensors=len(tensors),
        parameters=sum(prod(tensor.shape) for tensor in tensors),
        bytes=size,
        sha256=sha256,
        seconds=round(time.monotonic() - begun, 3),
    )


def _tensors(pair: LoraPair, alpha: float, shape: Shape, kind: gguf.GGMLQuantizationType) -> list[GgufTensor]:
    names = gguf.get_tensor_name_map(ARCHITECTURES[shape.gguf_architecture], shape.layers)
    name = f"{names.get_name(pair.module)}.weight"
    turned = shape.gguf_architecture == "llama" and pair.module.endswith((".q_proj", ".k_proj"))
    pieces_of_b = partial(_pieces, pair.b, pair.factor(alpha), shape.head_dim if turned else None)
    return [
        GgufTensor(f"{name}.lora_a", pair.a.shape, kind, partial(_pieces, pair.a)),
        GgufTensor(f"{name}.lora_b", pair.b.shape, kind, pieces_of_b),
    ]


def _pieces(stored: LocalTensor, factor: float = 1.0, head_dim: int | None = None) -> Iterator[npt.NDArray[np.float32]]:
    rows = read_rows(stored) * np.float32(factor)
    yield interleaved(rows, head_dim) if head_dim else rows


def _write(writer: gguf.GGUFWriter, tensors: list[GgufTensor]) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        writer.write_tensor_data(tensor)


def _add_keys(
    writer: gguf.GGUFWriter, adapter_dir: Path, base_dir: Path, alpha: float, file_type: gguf.LlamaFileType
) -> None:
    try:
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
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ConvertError(f"README.md of {adapter_dir} or {base_dir} has front matter that is damaged.") from error


def _names_published_base(adapter_dir: Path) -> bool:
    """Whether the adapter's card names its base as the Hub does; peft writes a path of the training machine, too."""
    named = gguf.Metadata.load_model_card(adapter_dir).get("base_model")
    names = named if isinstance(named, list) else [named]
    return all(isinstance(name, str) and HUB_NAME.fullmatch(name) for name in names)
