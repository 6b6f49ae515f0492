"""Read the shape of a Qwen2 or Llama model from the ``config.json`` of its checkpoint, without trusting it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.files import ConvertError
from convert.rope import Llama3Scaling

#: Architecture -> whether query, key and value always have biases.
ARCHITECTURES = {"Qwen2ForCausalLM": True, "LlamaForCausalLM": False}
#: More layers than any model has; listing the tensors of billions of layers would fill the memory.
MAX_LAYERS = 1000


@dataclass(frozen=True)
class Shape:
    """The shape of a Qwen2 or Llama model, as ``config.json`` states it.

    Attributes:
        architecture: a key of ``ARCHITECTURES``.
        layers: count of transformer blocks.
        hidden: width of the residual stream.
        ffn: width of the feed-forward part.
        heads: count of query heads.
        kv_heads: count of key heads, and of value heads.
        head_dim: width of one head; ``heads * head_dim`` need not be ``hidden`` after pruning.
        vocabulary: count of the embedding's rows.
        context: context that the model was trained for, in tokens.
        rms_eps: epsilon of the norms.
        rope_base: base of the rotary embedding.
        tied: whether the embedding is also the output head.
        biased: whether query, key and value have biases; Llama's output projection then has one, too.
        rope_scaling: scaling of the rotary embedding; None where it has none.
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
        """Read the shape from a configuration.

        Raises:
            ConvertError: the architecture is not known, or a variant that llama.cpp would compute differently, or a
                number is one that no model has.
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
        """The name of the architecture that llama.cpp computes it as.

        llama.cpp's ``qwen2`` requires query heads that are together as wide as the model, and supports no scaled rotary
        embedding; its ``llama`` computes the same and supports both.
        """
        plain = self.q_width == self.hidden and self.rope_scaling is None
        return "qwen2" if self.architecture == "Qwen2ForCausalLM" and plain else "llama"

    @property
    def q_width(self) -> int:
        """The width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """The width of all key (or value) heads together."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """The count of the model's numbers, a tied embedding counted once."""
        return sum(int(np.prod(size)) for size in self.tensors().values())

    def validate(self) -> None:
        """Refuse a shape that neither Hugging Face nor llama.cpp can compute.

        Raises:
            ConvertError: the query heads cannot share the key heads evenly, the width of a head is odd, which rotary
                embedding does not allow, or there are more layers than any model has.
        """
        if self.layers > MAX_LAYERS:
            raise ConvertError(f"{self.layers} layers are more than any model has.")
        if self.heads % self.kv_heads:
            raise ConvertError(f"{self.heads} query heads cannot share {self.kv_heads} key/value heads evenly.")
        if self.head_dim % 2:
            raise ConvertError(f"Heads of {self.head_dim} are odd; rotary embedding turns pairs of numbers.")

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return name -> shape of every tensor of the checkpoint; a complete model has these and no others."""
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
    """Read a number above zero that fits into GGUF's 32 bits.

    Args:
        values: the configuration.
        name: the number's key.
        default: the number where the configuration has none; None where it is required.
        kind: ``float`` allows fractions.

    Raises:
        ConvertError: it is missing, or not such a number.
    """
    value = default if values.get(name) is None else values[name]
    if value is None:
        raise ConvertError(f"config.json does not give {name}.")
    if type(value) not in (int, kind) or not 0 < value < 2**31:
        raise ConvertError(f"config.json gives {str(value)[:40]!r} as {name}, which no model has.")
    return kind(value)


def _rope_type(rope: dict[str, Any]) -> Any:
    return rope.get("rope_type", rope.get("type", "default"))


def _refuse_variants(config: dict[str, Any], rope: Any) -> None:
    """Refuse variants that llama.cpp would compute differently.

    Raises:
        ConvertError: rotary embedding, attention, activation or biases are of another kind than the supported ones.
    """
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
