"""Write a Qwen2 checkpoint as one GGUF file that llama.cpp, Ollama and LM Studio run.

``python -m convert gguf MODEL_DIR --out model.gguf --type f16 --metadata keys.json``

Name, licence, description and languages come from the front matter of the checkpoint's ``README.md``, where the Hugging
Face Hub keeps them. The file's layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import yaml  # type: ignore[import-untyped]

from convert.files import ConvertError, read_json, written_whole
from convert.vocabulary import read_vocabulary
from copilot.engine.base import METADATA_PREFIX

log = logging.getLogger(__name__)

TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}


@dataclass(frozen=True)
class Shape:
    """What ``config.json`` says of a Qwen2 model, in the checkpoint's own units."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    vocabulary: int
    context: int
    rms_eps: float
    rope_base: float
    tied: bool

    @classmethod
    def read(cls, config: dict[str, Any]) -> "Shape":
        """Take the shape from a configuration.

        Raises:
            ConvertError: another architecture, or a variant that llama.cpp's ``qwen2`` would compute differently.
        """
        _refuse_unknown(config)
        rope = config.get("rope_parameters") or {}
        try:
            return cls(
                layers=config["num_hidden_layers"],
                hidden=config["hidden_size"],
                ffn=config["intermediate_size"],
                heads=config["num_attention_heads"],
                kv_heads=config.get("num_key_value_heads") or config["num_attention_heads"],
                vocabulary=config["vocab_size"],
                context=config["max_position_embeddings"],
                rms_eps=config["rms_norm_eps"],
                rope_base=rope.get("rope_theta") or config["rope_theta"],
                tied=config.get("tie_word_embeddings", False),
            )
        except KeyError as error:
            raise ConvertError(f"config.json does not give {error.args[0]}.") from error

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Every tensor the checkpoint has to hold, with its shape; all of them, and no others, make a whole model."""
        hidden, ffn, kv = self.hidden, self.ffn, self.hidden // self.heads * self.kv_heads
        layer: dict[str, tuple[int, ...]] = {
            f"{norm}_layernorm.weight": (hidden,) for norm in ("input", "post_attention")
        }
        for name, rows in (("q_proj", hidden), ("k_proj", kv), ("v_proj", kv)):
            layer |= {f"self_attn.{name}.weight": (rows, hidden), f"self_attn.{name}.bias": (rows,)}
        layer |= {"self_attn.o_proj.weight": (hidden, hidden), "mlp.down_proj.weight": (hidden, ffn)}
        layer |= {"mlp.gate_proj.weight": (ffn, hidden), "mlp.up_proj.weight": (ffn, hidden)}
        whole: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary, hidden)}
        for i in range(self.layers):
            whole |= {f"model.layers.{i}.{name}": shape for name, shape in layer.items()}
        whole["model.norm.weight"] = (hidden,)
        if not self.tied:
            whole["lm_head.weight"] = (self.vocabulary, hidden)
        return whole


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
    shape = Shape.read(read_json(model_dir / "config.json"))
    sources = _locate(model_dir, shape)
    vocabulary = read_vocabulary(model_dir, shape.vocabulary)
    with written_whole(out) as partial:
        writer = gguf.GGUFWriter(partial, "qwen2")
        try:
            _add_general(writer, model_dir, shape, type)
            _add_shape(writer, shape)
            vocabulary.add_to(writer)
            for name, value in (metadata or {}).items():
                writer.add_string(METADATA_PREFIX + name, value)
            _write_tensors(writer, sources, shape, TYPES[type][0])
        finally:
            writer.close()


def _refuse_unknown(config: dict[str, Any]) -> None:
    """Name the first thing that llama.cpp's ``qwen2`` would get wrong."""
    architectures = config.get("architectures") or ["nothing"]
    if architectures != ["Qwen2ForCausalLM"]:
        raise ConvertError(f"This is a {architectures[0]} checkpoint; only Qwen2ForCausalLM can be converted.")
    hidden, heads = config.get("hidden_size", 0), config.get("num_attention_heads", 1)
    head_dim = config.get("head_dim") or hidden // heads
    if head_dim * heads != hidden or head_dim % 2:
        raise ConvertError(
            f"{heads} heads of {head_dim} do not make up the hidden size {hidden}, as llama.cpp requires."
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise ConvertError("Scaled rotary embeddings cannot be converted; remove the scaling from config.json.")
    if config.get("use_sliding_window") or config.get("hidden_act", "silu") != "silu":
        raise ConvertError("Sliding windows and activations other than silu cannot be converted.")


def _locate(model_dir: Path, shape: Shape) -> dict[str, Path]:
    """Find the file of every tensor, and check that the checkpoint holds what its configuration says and no more."""
    from safetensors import SafetensorError, safe_open

    expected, found = shape.tensors(), {}
    for path in sorted(model_dir.glob("model*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - not a dict
                    found[name] = path
                    tensor = file.get_slice(name)
                    size, stored = tuple(tensor.get_shape()), tensor.get_dtype()
                    if size != expected.get(name, size):
                        raise ConvertError(f"{name} is {size} where config.json wants {expected[name]}.")
                    if stored not in ("F32", "F16", "BF16"):
                        raise ConvertError(f"{name} is stored as {stored}; start from unquantised weights.")
        except SafetensorError as error:
            raise ConvertError(f"{path} is damaged or cut short.") from error
    if missing := expected.keys() - found.keys():
        raise ConvertError(f"{model_dir} is not complete: {min(missing)} is missing.")
    if "lm_head.weight" in found and shape.tied:
        _refuse_untied(found)
    if strange := found.keys() - expected.keys() - {"lm_head.weight"}:
        raise ConvertError(f"{model_dir} holds {min(strange)}, which a Qwen2 model has no use for.")
    return {name: found[name] for name in expected}


def _refuse_untied(found: dict[str, Path]) -> None:
    """A head stored beside a tied embedding may only be its copy, or the file would compute something else."""
    if not np.array_equal(_read(found, "lm_head.weight"), _read(found, "model.embed_tokens.weight")):
        raise ConvertError("config.json says that output and embedding are tied, but their weights differ.")


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


def _write_tensors(
    writer: gguf.GGUFWriter, sources: dict[str, Path], shape: Shape, matrix_type: gguf.GGMLQuantizationType
) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, shape.layers)
    sizes = shape.tensors()
    kinds = {name: matrix_type if len(sizes[name]) > 1 else gguf.GGMLQuantizationType.F32 for name in sources}
    for name, kind in kinds.items():
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        bytes_each = gguf.GGML_QUANT_SIZES[kind][1]
        writer.add_tensor_info(stored, sizes[name], np.dtype(np.float32), int(np.prod(sizes[name])) * bytes_each, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for i, (name, kind) in enumerate(kinds.items(), 1):
        log.info("[%4d/%4d] %s %s %s", i, len(kinds), name, sizes[name], kind.name)
        writer.write_tensor_data(_cast(name, _read(sources, name), kind))


def _read(sources: dict[str, Path], name: str) -> npt.NDArray[np.float32]:
    """Read one tensor in float32, which numpy has and every stored type fits in; the file is closed again at once."""
    import torch
    from safetensors import safe_open

    with safe_open(sources[name], framework="pt") as file:
        array: npt.NDArray[np.float32] = file.get_tensor(name).to(torch.float32).numpy()
    return array


def _cast(name: str, array: npt.NDArray[np.float32], kind: gguf.GGMLQuantizationType) -> npt.NDArray[Any]:
    with np.errstate(over="ignore"):
        cast: npt.NDArray[Any] = gguf.quantize(array, kind)
    if not np.isfinite(cast if cast.dtype != np.uint8 else array).all():
        raise ConvertError(f"{name} holds numbers that are not finite or do not fit {kind.name}; try f32 or bf16.")
    return cast
