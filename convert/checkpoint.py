"""A checkpoint folder of Hugging Face's: its shape, and its tensors a few rows at a time.

Read without torch and without loading a model: the file's own numbers are what counts, and only as many of them are in
memory as were asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.utility import LocalTensor, SafetensorsLocal

from convert.files import ConvertError, read_json

#: Architecture -> whether query, key and value have biases by default.
ARCHITECTURES = {"Qwen2ForCausalLM": True, "LlamaForCausalLM": False}
#: Stored type -> numpy's, as little-endian integers where numpy has no such float.
STORED: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


@dataclass(frozen=True)
class Shape:
    """What ``config.json`` says of a Qwen2 or Llama model, in the checkpoint's own units.

    Attributes:
        architecture: a key of ``ARCHITECTURES``.
        layers: transformer blocks.
        hidden: width of the residual stream.
        ffn: width of the feed-forward part.
        heads: query heads.
        kv_heads: key and value heads.
        head_dim: width of one head; ``heads * head_dim`` need not be ``hidden`` after pruning.
        vocabulary: rows of the embedding.
        context: tokens.
        rms_eps: of the norms.
        rope_base: of the rotary embedding.
        tied: whether the embedding is also the output head.
        biased: whether query, key and value have biases.
    """

    architecture: str
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int
    rms_eps: float
    rope_base: float
    tied: bool
    biased: bool

    @classmethod
    def read(cls, config: dict[str, Any]) -> "Shape":
        """Take the shape from a configuration.

        Raises:
            ConvertError: another architecture, or a variant that llama.cpp would compute differently.
        """
        architecture = (config.get("architectures") or ["nothing"])[0]
        if architecture not in ARCHITECTURES:
            raise ConvertError(f"This is a {architecture} checkpoint; only {' and '.join(ARCHITECTURES)} are known.")
        _refuse_variants(config)
        rope = config.get("rope_parameters") or {}
        try:
            heads, hidden = config["num_attention_heads"], config["hidden_size"]
            shape = cls(
                architecture=architecture,
                layers=config["num_hidden_layers"],
                hidden=hidden,
                ffn=config["intermediate_size"],
                heads=heads,
                kv_heads=config.get("num_key_value_heads") or heads,
                head_dim=config.get("head_dim") or hidden // heads,
                vocabulary=config["vocab_size"],
                context=config["max_position_embeddings"],
                rms_eps=config["rms_norm_eps"],
                rope_base=rope.get("rope_theta") or config["rope_theta"],
                tied=config.get("tie_word_embeddings", False),
                biased=config.get("attention_bias", ARCHITECTURES[architecture]),
            )
        except KeyError as error:
            raise ConvertError(f"config.json does not give {error.args[0]}.") from error
        shape.refuse_impossible()
        return shape

    @property
    def q_width(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of all key (or value) heads together."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """Numbers in the model, a tied embedding counted once."""
        return sum(int(np.prod(size)) for size in self.tensors().values())

    def refuse_impossible(self) -> None:
        """Refuse what neither Hugging Face nor llama.cpp can compute.

        Raises:
            ConvertError: heads that share keys unevenly, or an odd head dimension, which rotary embedding cannot turn.
        """
        if self.heads % self.kv_heads:
            raise ConvertError(f"{self.heads} query heads cannot share {self.kv_heads} key/value heads evenly.")
        if self.head_dim % 2:
            raise ConvertError(f"Heads of {self.head_dim} are odd; rotary embedding turns pairs of numbers.")

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Every tensor the checkpoint has to hold, with its shape; all of them, and no others, make a whole model."""
        hidden, ffn, q, kv = self.hidden, self.ffn, self.q_width, self.kv_width
        layer: dict[str, tuple[int, ...]] = {
            f"{norm}_layernorm.weight": (hidden,) for norm in ("input", "post_attention")
        }
        for name, rows in (("q_proj", q), ("k_proj", kv), ("v_proj", kv)):
            layer[f"self_attn.{name}.weight"] = (rows, hidden)
            if self.biased:
                layer[f"self_attn.{name}.bias"] = (rows,)
        layer |= {"self_attn.o_proj.weight": (hidden, q), "mlp.down_proj.weight": (hidden, ffn)}
        layer |= {"mlp.gate_proj.weight": (ffn, hidden), "mlp.up_proj.weight": (ffn, hidden)}
        whole: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary, hidden)}
        for i in range(self.layers):
            whole |= {f"model.layers.{i}.{name}": shape for name, shape in layer.items()}
        whole["model.norm.weight"] = (hidden,)
        if not self.tied:
            whole["lm_head.weight"] = (self.vocabulary, hidden)
        return whole


def _refuse_variants(config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        raise ConvertError("Scaled rotary embeddings cannot be converted; remove the scaling from config.json.")
    if config.get("use_sliding_window") or config.get("hidden_act", "silu") != "silu":
        raise ConvertError("Sliding windows and activations other than silu cannot be converted.")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with ``config.json`` and safetensors files that hold exactly what the configuration says."""

    folder: Path
    config: dict[str, Any]
    shape: Shape
    stored: dict[str, LocalTensor]

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Look at the folder; no weights are read.

        Raises:
            ConvertError: not a checkpoint of a known architecture, incomplete, truncated, or with strange tensors.
        """
        config = read_json(folder / "config.json")
        shape = Shape.read(config)
        checkpoint = cls(folder, config, shape, _stored(folder))
        checkpoint._refuse_misfits()
        return checkpoint

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float32]:
        """Read a tensor, or some of its rows, in float32, which every stored type fits in."""
        tensor = self.stored[name]
        kind = STORED[tensor.dtype]
        width = int(np.prod(tensor.shape[1:]))
        stop = tensor.shape[0] if stop is None else min(stop, tensor.shape[0])
        offset = tensor.data_range.offset + start * width * kind.itemsize
        with tensor.data_range.filename.open("rb") as file:
            file.seek(offset)
            numbers: npt.NDArray[Any] = np.fromfile(file, kind, (stop - start) * width)
        if tensor.dtype == "BF16":  # the upper half of a float32
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        floats: npt.NDArray[np.float32] = numbers.astype(np.float32, copy=False)
        return floats.reshape(stop - start, *tensor.shape[1:])

    def _refuse_misfits(self) -> None:
        expected = self.shape.tensors()
        for name, tensor in self.stored.items():
            if tensor.shape != expected.get(name, tensor.shape):
                raise ConvertError(f"{name} is {tensor.shape} where config.json wants {expected[name]}.")
            if tensor.dtype not in STORED:
                raise ConvertError(f"{name} is stored as {tensor.dtype}; start from unquantised weights.")
        if missing := expected.keys() - self.stored.keys():
            raise ConvertError(f"{self.folder} is not complete: {min(missing)} is missing.")
        if strange := self.stored.keys() - expected.keys() - {"lm_head.weight"}:
            raise ConvertError(f"{self.folder} holds {min(strange)}, which this model has no use for.")
        if "lm_head.weight" in self.stored and self.shape.tied:
            self._refuse_untied()

    def _refuse_untied(self) -> None:
        """A head stored beside a tied embedding may only be its copy, or the file would compute something else."""
        for start in range(0, self.shape.vocabulary, 4096):
            head, embedding = (
                self.rows(name, start, start + 4096) for name in ("lm_head.weight", "model.embed_tokens.weight")
            )
            if not np.array_equal(head, embedding):
                raise ConvertError("config.json says that output and embedding are tied, but their weights differ.")


def _stored(folder: Path) -> dict[str, LocalTensor]:
    found: dict[str, LocalTensor] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        try:
            tensors = SafetensorsLocal(path).tensors
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise ConvertError(f"{path} is damaged or cut short.") from error
        size = path.stat().st_size
        for name, tensor in tensors.items():
            place = tensor.data_range
            item = STORED.get(tensor.dtype)
            wrong = item is not None and place.size != int(np.prod(tensor.shape)) * item.itemsize
            if wrong or place.size < 0 or place.offset + place.size > size:
                raise ConvertError(f"{path} is damaged or cut short.")
            found[name] = tensor
    return found
