"""Write a LoRA adapter as a GGUF file, which llama.cpp applies to its base and Ollama's ``ADAPTER`` line names.

``python -m convert gguf MODEL_DIR --adapter ADAPTER_DIR --out adapter.gguf --type f16``

llama.cpp multiplies BA with alpha / rank, and alpha is the same for all modules: any other factor of peft's is
multiplied into B. What such a file cannot contain is refused, because llama.cpp would leave it out silently. The
matrices are read without torch.
"""

import re
from collections.abc import Iterator
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


def adapter_to_gguf(adapter_dir: Path, base_dir: Path, out: Path, *, type: str = "f16") -> GgufResult:
    """Convert an adapter to a GGUF file.

    Args:
        adapter_dir: folder that peft saved the adapter to, with ``adapter_model.safetensors``.
        base_dir: folder of the checkpoint it was trained on; ``config.json`` is enough. Its weights are read only where
            the adapter repeats some.
        out: the file to write; an existing file is replaced.
        type: ``f32``, ``f16`` or ``bf16``.

    Raises:
        ConvertError: there are no weights, or they are damaged, or other than plain pairs, or of another base, or the
            file cannot be written.
    """
    kind, file_type = find_types(type)
    shape = Shape.read(read_json(base_dir / "config.json"))
    config = _read_config(adapter_dir)
    alpha = float(config["lora_alpha"])
    names = gguf.get_tensor_name_map(ARCHITECTURES[shape.gguf_architecture], shape.layers)
    tensors = []
    for module, (a, b) in _find_pairs(adapter_dir, base_dir, shape).items():
        # peft's scale follows from the rank and from the module's own alpha or the general one. B is multiplied with
        # what that differs from llama.cpp's own factor, alpha / rank.
        patterns = (config.get("alpha_pattern") or {}).items()
        own = (value for pattern, value in patterns if re.match(rf"(.*\.)?({pattern})$", module))
        rank = int(a.shape[0])
        scale = next(own, config["lora_alpha"]) / (sqrt(rank) if config.get("use_rslora") else rank)
        factor = scale * rank / alpha
        factor = 1.0 if isclose(factor, 1.0) else factor
        weight = f"{module}.weight"
        pieces_of_b = partial(_read_pieces, b, factor, shape.head_dim if turns_rows(shape, weight) else None)
        name = f"{names.get_name(module)}.weight"
        tensors.append(GgufTensor(f"{name}.lora_a", a.shape, kind, partial(_read_pieces, a)))
        tensors.append(GgufTensor(f"{name}.lora_b", b.shape, kind, pieces_of_b))
    return write_gguf(
        out,
        shape.gguf_architecture,
        type,
        tensors,
        partial(_add_keys, adapter_dir, base_dir, alpha, file_type),
        f"The front matter of README.md of {adapter_dir} or {base_dir}",
    )


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
    try:
        patterns = dict(config.get("alpha_pattern") or {})
        alphas = [config.get("lora_alpha"), *patterns.values()] if all(map(re.compile, patterns)) else []
    except (re.error, TypeError, ValueError):
        alphas = []
    if not alphas or not all(type(alpha) in (int, float) and isfinite(alpha) and alpha for alpha in alphas):
        path = folder / ADAPTER_CONFIG
        raise ConvertError(f"{path} has to give lora_alpha and alpha_pattern as numbers other than zero.")
    return config


def _find_pairs(folder: Path, base_dir: Path, shape: Shape) -> dict[str, tuple[LocalTensor, LocalTensor]]:
    """Find the two matrices of each module, whose weight becomes W + scale BA; their numbers are not read yet.

    Returns:
        The checkpoint's name of each module -> A, shape (rank, inputs), and B, shape (outputs, rank); in order of the
        names.
    """
    stored = locate_tensors(folder, ADAPTER_WEIGHTS)
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
    pairs = {module: (pair["A"], pair["B"]) for module, pair in sorted(sides.items())}
    for module, (a, b) in pairs.items():
        weight = f"{module}.weight"
        if shape.tied and weight == "lm_head.weight":
            raise ConvertError(
                f"{folder} adapts the head of a model whose head is its embedding; llama.cpp would change both. "
                "Train neither, or untie them first."
            )
        wanted = shape.tensors().get(weight)
        if wanted != (b.shape[0], a.shape[1]) or b.shape[1] != a.shape[0] or not a.shape[0]:
            product = f"{b.shape} times {a.shape}"
            raise ConvertError(f"{folder} does not belong to this base: {weight} is {wanted} there, {product} here.")
    for module, layer in layers.items():  # the adapter's copies of the base's weights
        base = locate_tensors(base_dir).get(f"{module}.weight")
        known = (
            base is not None
            and base.dtype in STORED_TYPES
            and layer.dtype in STORED_TYPES
            and base.shape == layer.shape
        )
        if not known or not np.array_equal(read_rows(base), read_rows(layer)):
            raise ConvertError(f"{folder} does not belong to this base: it was trained on another {module}.weight.")
    return pairs


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
    named = gguf.Metadata.load_model_card(adapter_dir).get("base_model")
    names = named if isinstance(named, list) else [named]
    if not all(isinstance(name, str) and HUB_NAME.fullmatch(name) for name in names):  # peft may write a local path
        base = gguf.Metadata.load(model_path=base_dir)
        card.base_models = [{"name": base.name or base_dir.resolve().name}]
        card.tags = [tag for tag in card.tags or [] if not str(tag).startswith("base_model:")] or None
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    card.set_gguf_meta_model(writer)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
