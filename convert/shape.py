"""Read the shape of a Qwen2 or Llama model from the ``config.json`` of its checkpoint, without trusting it; prune it.

Rotary embedding (https://arxiv.org/abs/2104.09864), whose scaling is a part of the shape, rotates pairs of numbers.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.files import ConvertError

#: Architecture -> whether query, key and value always have biases.
ARCHITECTURES = {"Qwen2ForCausalLM": True, "LlamaForCausalLM": False}
#: More layers than any model has; listing the tensors of billions of layers would fill the memory.
MAX_LAYERS = 1000
#: Sevenths divide the 14 query heads of Qwen2-0.5B evenly; a half is what the EEG Emotion Copilot's authors pruned by
#: (https://arxiv.org/abs/2410.00166).
RATIOS = tuple(sorted([*(Fraction(n, 7) for n in range(1, 7)), Fraction(1, 2)]))
#: Widths become multiples of one of these: 4 is the pruner's default, 64 a head's width, 256 a K-quant's block.
ROUNDINGS = (4, 64, 256)
#: Count of the numbers in the smallest block of any quantised type.
SMALLEST_BLOCK = 32
#: The configuration's names of the fields of ``Llama3Scaling``, in the same order.
CONFIG_NAMES = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


@dataclass(frozen=True)
class Llama3Scaling:
    """The scaling by which Llama 3.1 and later slow down the rotation of the slow pairs, so that longer texts fit.

    Attributes:
        factor: how many times slower the slowest pairs rotate.
        low: pairs that rotate fewer times than this within ``context`` are slow.
        high: pairs that rotate more times than this are not changed.
        context: context before the scaling, in tokens.
    """

    factor: float
    low: float
    high: float
    context: float

    @classmethod
    def read(cls, rope: dict[str, Any]) -> "Llama3Scaling":
        """Read the scaling from the ``rope_parameters`` (or ``rope_scaling``) of a configuration.

        Raises:
            ConvertError: a number is missing, not positive, or the two limits are in the wrong order.
        """
        values = [rope.get(name) for name in CONFIG_NAMES]
        numbers = [float(value) for value in values if isinstance(value, int | float) and 0 < value < 2**31]
        if len(numbers) < len(CONFIG_NAMES) or numbers[1] >= numbers[2]:
            raise ConvertError(f"config.json has to give {', '.join(CONFIG_NAMES)} of its llama3 rotary embedding.")
        return cls(*numbers)

    def as_config(self) -> dict[str, Any]:
        """Return the scaling as ``rope_parameters``, which ``read`` reads."""
        numbers = (self.factor, self.low, self.high, int(self.context))
        return {"rope_type": "llama3"} | dict(zip(CONFIG_NAMES, numbers, strict=True))

    def divisors(self, base: float, head_dim: int) -> npt.NDArray[np.float32]:
        """Compute how many times slower each pair rotates than without scaling.

        It is computed in float32, as llama.cpp's own converter does, to get the same bits.

        Args:
            base: the rotary embedding's base (``rope_theta``).
            head_dim: width of one head.

        Returns:
            Factors without a unit, 1 for an unchanged pair; shape (head_dim / 2,).
        """
        exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
        turns = np.float32(self.context) / (np.float32(2 * np.pi) * np.float32(base) ** exponents)
        kept = (turns - np.float32(self.low)) / np.float32(self.high - self.low)
        between = 1 / ((1 - kept) / np.float32(self.factor) + kept)
        slow, fast = turns < self.low, turns > self.high
        return np.where(slow, self.factor, np.where(fast, 1, between)).astype(np.float32)


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


def prune_shape(shape: Shape, ratio: float, round_to: int) -> Shape:
    """Return the shape after pruning, so that ``plan`` and a pruner mean the same by a ratio.

    The arithmetic is that of torch-pruning 1.6.1 (Fang et al. 2023, https://arxiv.org/abs/2301.12900) on a Qwen2 or
    Llama model. Whole query heads are pruned (``prune_num_heads``); depth, vocabulary and the width of a head stay, and
    the output head follows the embedding.

    Args:
        shape: the shape before pruning.
        ratio: share of every width, and of the query heads, that is removed; between 0 and 1.
        round_to: hidden and feed-forward widths are reduced further, to a multiple of this number.

    Raises:
        ConvertError: ``ratio`` or ``round_to`` is out of its range.
    """
    if not 0 < ratio < 1 or round_to < 1:
        raise ConvertError(f"Pruning takes a ratio between 0 and 1 and a whole number to round to, not {ratio}.")
    # Computed in floating point like the pruner does; a width that would become 0 stays.
    widths = [int(width * (1 - ratio)) for width in (shape.hidden, shape.ffn)]
    hidden, ffn = (
        kept - kept % round_to or width for kept, width in zip(widths, (shape.hidden, shape.ffn), strict=True)
    )
    # The same number of query heads is removed from each key/value head. Key/value heads are removed only where each
    # has one query head. The pruner does not go down to one query head for each shared key/value head: it then keeps
    # all.
    heads, kv_heads = shape.heads, shape.kv_heads
    removed = ceil(ratio * heads)
    if heads == kv_heads:
        heads = kv_heads = heads - removed or heads
    elif (kept := heads - ceil(removed / kv_heads) * kv_heads) > kv_heads:
        heads = kept
    return replace(shape, hidden=hidden, ffn=ffn, heads=heads, kv_heads=kv_heads)


def find_obstacle(shape: Shape) -> str | None:
    """Return a sentence about why this shape cannot be used; None where it can."""
    try:
        shape.validate()
    except ConvertError as error:
        return str(error)
    for width in (shape.hidden, shape.q_width):  # the rows of all matrices but one
        if width % SMALLEST_BLOCK:
            return f"Rows of {width} numbers fit no quantisation: the smallest blocks have {SMALLEST_BLOCK}."
    return None


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
