"""Write a LoRA adapter as a GGUF file, which llama.cpp applies to its base and Ollama's ``ADAPTER`` line names.

``python -m convert gguf MODEL_DIR --adapter ADAPTER_DIR --out adapter.gguf --type f16``

llama.cpp multiplies BA with alpha / rank, and alpha is the same for all modules: any other factor of peft's is
multiplied into B. What such a file cannot contain is refused, because llama.cpp would leave it out silently. The
matrices are read without torch.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import isclose, isfinite, sqrt
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf.utility import LocalTensor

from convert.checkpoint import ADAPTER_CONFIG, ADAPTER_WEIGHTS, STORED_TYPES, locate_tensors, read_rows
from convert.files import ConvertError, read_json
from convert.gguf.writer import (
    ARCHITECTURES,
    GgufResult,
    GgufTensor,
    find_types,
    interleave_pairs,
    turns_rows,
    write_gguf,
)
from convert.shape import Shape

HUB_NAME = re.compile(r"(https?://\S+|[\w-][\w.-]*/[\w-][\w.-]*)")
#: Fields of peft's configuration that do not change what the adapter computes, or that this module supports. Any other
#: field that is set, now or in a later version of peft, is refused.
KNOWN_FIELDS = frozenset(
    (
        *("alpha_pattern", "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "eva_config"),
        *("exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern"),
        *("layers_to_transform", "lora_alpha", "lora_dropout", "megatron_config", "megatron_core", "peft_type"),
        *("peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config", "target_modules"),
        *("task_type", "use_rslora", "velora_config"),
        *("corda_config", "lora_ga_config", "loftq_config"),  # settings of initialisations that are refused themselves
    )
)
#: Initialisations that do not change the base's weights; the others move a part of them into the adapter.
PLAIN_INITS = (True, False, None, "gaussian", "orthogonal", "eva")
NAME = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
#: The base's own weight, which peft saves with an adapted head or embedding.
BASE_LAYER = re.compile(r"base_model\.model\.(?P<module>.+)\.base_layer\.weight")
MERGE_INSTEAD = "which a GGUF LoRA cannot contain; merge it into its base instead (python -m convert merge)."


@dataclass(frozen=True)
class LoraPair:
    """The two matrices of one module, whose weight becomes W + scale BA.

    Attributes:
        module: the checkpoint's name of the module.
        a: where A is stored; shape (rank, inputs).
        b: where B is stored; shape (outputs, rank).
        scale: the factor that peft multiplies BA with.
    """

    module: str
    a: LocalTensor
    b: LocalTensor
    scale: float

    def factor(self, alpha: float) -> float:
        """Return the factor to multiply B with: the scale divided by llama.cpp's own factor, alpha / rank."""
        factor = self.scale * int(self.a.shape[0]) / alpha
        return 1.0 if isclose(factor, 1.0) else factor


def adapter_to_gguf(adapter_dir: Path, base_dir: Path, out: Path, *, type: str = "f16") -> GgufResult:
    """Convert an adapter to a GGUF file.

    Args:
        adapter_dir: folder that peft saved the adapter to, with ``adapter_model.safetensors``.
        base_dir: folder of the checkpoint it was trained on; ``config.json`` is enough.
        out: the file to write; an existing file is replaced.
        type: ``f32``, ``f16`` or ``bf16``.

    Raises:
        ConvertError: the adapter is of another kind, damaged or of another base, or the file cannot be written.
    """
    kind, file_type = find_types(type)
    shape = Shape.read(read_json(base_dir / "config.json"))
    alpha, pairs = _read_adapter(adapter_dir, base_dir, shape)
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
    turned = turns_rows(shape, f"{pair.module}.weight")
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


def _read_adapter(folder: Path, base_dir: Path, shape: Shape) -> tuple[float, list[LoraPair]]:
    """Read an adapter's configuration and find its matrices; their numbers are not read yet.

    Args:
        folder: folder of the adapter.
        base_dir: folder of the checkpoint it was trained on; its weights are read only where the adapter repeats some.
        shape: shape of that checkpoint.

    Returns:
        The adapter's alpha, and its pairs in the order of their names.

    Raises:
        ConvertError: there are no weights, or they are damaged, or other than plain pairs, or of another base.
    """
    config, stored = _read_config(folder), locate_tensors(folder, ADAPTER_WEIGHTS)
    if not stored:
        raise ConvertError(
            f"{folder} has no {ADAPTER_WEIGHTS} with anything in it; name the folder that peft saved it to."
        )
    layers = {match["module"]: stored.pop(name) for name in list(stored) if (match := BASE_LAYER.fullmatch(name))}
    sides: dict[str, dict[str, LocalTensor]] = {}
    for name, tensor in stored.items():
        match = NAME.fullmatch(name)
        if not match or tensor.dtype not in STORED_TYPES or len(tensor.shape) != 2:
            raise ConvertError(f"{folder} contains {name} ({tensor.dtype}, {tensor.shape}), {MERGE_INSTEAD}")
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    if unpaired := [module for module, pair in sides.items() if len(pair) < 2]:
        raise ConvertError(f"{folder} is not complete: {min(unpaired)} has only one of its two matrices.")
    pairs = [_make_pair(module, pair["A"], pair["B"], config) for module, pair in sorted(sides.items())]
    for pair in pairs:
        _refuse_wrong_shapes(pair, folder, shape)
    for module, layer in layers.items():
        _refuse_other_base(module, layer, folder, base_dir)
    return float(config["lora_alpha"]), pairs


def _read_config(folder: Path) -> dict[str, Any]:
    """Read the adapter's configuration and refuse settings that a GGUF LoRA cannot contain."""
    config = read_json(folder / ADAPTER_CONFIG)
    if config.get("peft_type") != "LORA":
        raise ConvertError(f"{folder} is an adapter of type {config.get('peft_type')}; llama.cpp knows only LORA.")
    unknown = {name: value for name, value in config.items() if value and name not in KNOWN_FIELDS}
    if unknown.get("bias") == "none":
        del unknown["bias"]
    if config.get("init_lora_weights") not in PLAIN_INITS:
        unknown["init_lora_weights"] = config["init_lora_weights"]
    if unknown:
        name = min(unknown)
        raise ConvertError(f"{folder} was trained with {name} = {str(unknown[name])[:60]}, {MERGE_INSTEAD}")
    _refuse_bad_alphas(config, folder / ADAPTER_CONFIG)
    return config


def _refuse_bad_alphas(config: dict[str, Any], path: Path) -> None:
    try:
        patterns = dict(config.get("alpha_pattern") or {})
        sound = all(re.compile(pattern) for pattern in patterns)
    except (re.error, TypeError, ValueError):
        sound = False
    alphas = [config.get("lora_alpha"), *patterns.values()] if sound else []
    if not alphas or not all(type(alpha) in (int, float) and isfinite(alpha) and alpha for alpha in alphas):
        raise ConvertError(f"{path} has to give lora_alpha and alpha_pattern as numbers other than zero.")


def _make_pair(module: str, a: LocalTensor, b: LocalTensor, config: dict[str, Any]) -> LoraPair:
    """Make a pair with peft's scale, which follows from the rank and from the module's own alpha or the general one."""
    patterns = (config.get("alpha_pattern") or {}).items()
    own = (alpha for pattern, alpha in patterns if re.match(rf"(.*\.)?({pattern})$", module))
    alpha, rank = next(own, config["lora_alpha"]), max(1, int(a.shape[0]))
    return LoraPair(module, a, b, alpha / (sqrt(rank) if config.get("use_rslora") else rank))


def _refuse_wrong_shapes(pair: LoraPair, folder: Path, shape: Shape) -> None:
    """Refuse a pair that does not fit the base's weight, or adapts a head that is tied to the embedding."""
    weight = f"{pair.module}.weight"
    if shape.tied and weight == "lm_head.weight":
        raise ConvertError(
            f"{folder} adapts the head of a model whose head is its embedding; llama.cpp would change both. "
            "Train neither, or untie them first."
        )
    adapted, wanted = (pair.b.shape[0], pair.a.shape[1]), shape.tensors().get(weight)
    if wanted != adapted or pair.b.shape[1] != pair.a.shape[0] or not pair.a.shape[0]:
        product = f"{pair.b.shape} times {pair.a.shape}"
        raise ConvertError(f"{folder} does not belong to this base: {weight} is {wanted} there, {product} here.")


def _refuse_other_base(module: str, layer: LocalTensor, folder: Path, base_dir: Path) -> None:
    """Refuse an adapter whose copy of a base's weight, ``layer``, differs from the base's."""
    base = locate_tensors(base_dir).get(f"{module}.weight")
    known = (
        base is not None and base.dtype in STORED_TYPES and layer.dtype in STORED_TYPES and base.shape == layer.shape
    )
    if not known or not np.array_equal(read_rows(base), read_rows(layer)):
        raise ConvertError(f"{folder} does not belong to this base: it was trained on another {module}.weight.")
