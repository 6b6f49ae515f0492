"""The shape of a Qwen2 or Llama model, read from the ``config.json`` of its checkpoint without trusting it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.files import ConvertError
from convert.rope import Llama3Scaling

#: Architecture -> whether query, key and value always have biases.
ARCHITECTURES = {"Qwen2ForCausalLM": True, "LlamaForCausalLM": False}
#: More than any model has; a configuration that asks for billions must not take the memory to list them.
MAX_LAYERS = 1000


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
        biased: whether query, key and value have biases; Llama's output projection then has one, too.
        rope_scaling: of the rotary embedding, where it has one.
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
    rope_scaling: Llama3Scaling | None = None

    @classmethod
    def read(cls, config: dict[str, Any]) -> "Shape":
        """Take the shape from a configuration.

        Raises:
            ConvertError: another architecture, a variant that llama.cpp would compute differently, or numbers that no
                model has.
        """
        named = config.get("architectures")
        architecture = str(named[0]) if isinstance(named, list) and named else "nameless"
        if architecture not in ARCHITECTURES:
            raise ConvertError(f"This is a {architecture} checkpoint; only {' and '.join(ARCHITECTURES)} are known.")
        rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
        _refuse_variants(config, rope)
        heads, hidden = (_read_number(config, name) for name in ("num_attention_heads", "hidden_size"))
        shape = cls(
            architecture=architecture,
            layers=_read_number(config, "num_hidden_layers"),
            hidden=hidden,
            ffn=_read_number(config, "intermediate_size"),
            heads=heads,
            kv_heads=_read_number(config, "num_key_value_heads", heads),
            head_dim=_read_number(config, "head_dim", hidden // heads),
            vocabulary=_read_number(config, "vocab_size"),
            context=_read_number(config, "max_position_embeddings"),
            rms_eps=_read_number(config, "rms_norm_eps", kind=float),
            rope_base=_read_number(config | rope, "rope_theta", kind=float),
            tied=config.get("tie_word_embeddings") is True,
            biased=ARCHITECTURES[architecture] or config.get("attention_bias") is True,
            rope_scaling=Llama3Scaling.read(rope) if _rope_type(rope) == "llama3" else None,
        )
        shape.validate()
        return shape

    @property
    def gguf_architecture(self) -> str:
        """What llama.cpp computes it as.

        Its ``qwen2`` wants query heads that are together as wide as the model, and has no place for a scaled rotary
        embedding; its ``llama`` computes the same with both.
        """
        plain = self.q_width == self.hidden and self.rope_scaling is None
        return "qwen2" if self.architecture == "Qwen2ForCausalLM" and plain else "llama"

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

    def validate(self) -> None:
        """Refuse what neither Hugging Face nor llama.cpp can compute.

        Raises:
            ConvertError: heads that share keys unevenly, or an odd head dimension, which rotary embedding cannot turn,
                or more layers than any model has.
        """
        if self.layers > MAX_LAYERS:
            raise ConvertError(f"{self.layers} layers are more than any model has.")
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
        if self.biased and self.architecture == "LlamaForCausalLM":
            layer["self_attn.o_proj.bias"] = (hidden,)
        layer |= {"self_attn.o_proj.weight": (hidden, q), "mlp.down_proj.weight": (hidden, ffn)}
        layer |= {"mlp.gate_proj.weight": (ffn, hidden), "mlp.up_proj.weight": (ffn, hidden)}
        whole: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary, hidden)}
        for i in range(self.layers):
            whole |= {f"model.layers.{i}.{name}": shape for name, shape in layer.items()}
        whole["model.norm.weight"] = (hidden,)
        if not self.tied:
            whole["lm_head.weight"] = (self.vocabulary, hidden)
        return whole


def _read_number(values: dict[str, Any], name: str, default: Any = None, kind: type = int) -> Any:
    """A number above zero that fits into GGUF's 32 bits; ``kind`` float allows fractions."""
    value = default if values.get(name) is None else values[name]
    if value is None:
        raise ConvertError(f"config.json does not give {name}.")
    if type(value) not in (int, kind) or not 0 < value < 2**31:
        raise ConvertError(f"config.json gives {str(value)[:40]!r} as {name}, which no model has.")
    return kind(value)


def _rope_type(rope: dict[str, Any]) -> Any:
    return rope.get("rope_type", rope.get("type", "default"))


def _refuse_variants(config: dict[str, Any], rope: Any) -> None:
    if not isinstance(rope, dict) or _rope_type(rope) not in ("default", "llama3"):
        raise ConvertError("Rotary embeddings can be converted plain or scaled as llama3, and not in another way.")
    if (config | rope).get("partial_rotary_factor") not in (None, 1, 1.0):
        raise ConvertError("Rotary embeddings that turn only a part of each head cannot be converted.")
    kinds = config.get("layer_types") or []
    if not isinstance(kinds, list):
        raise ConvertError("config.json gives layer_types that are no list.")
    windows = config.get("use_sliding_window") or "sliding_attention" in kinds
    if windows or config.get("hidden_act", "silu") != "silu" or config.get("mlp_bias"):
        raise ConvertError("Sliding windows, feed-forward biases and activations but silu cannot be converted.")
