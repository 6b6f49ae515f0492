"""What pruning makes of a model's shape: the arithmetic alone, so that ``plan`` and a pruner mean the same by a ratio.

It is that of torch-pruning 1.6.1 (Fang et al. 2023, https://arxiv.org/abs/2301.12900) on a Qwen2 or Llama model with
whole query heads pruned (``prune_num_heads``), heads kept at their width, and the output head left to the embedding.
"""

from dataclasses import replace
from fractions import Fraction
from math import ceil

from convert.files import ConvertError
from convert.shape import Shape

#: Sevenths divide the 14 query heads of Qwen2-0.5B evenly; a half is what the EEG Emotion Copilot's authors pruned by
#: (https://arxiv.org/abs/2410.00166).
RATIOS = tuple(sorted([*(Fraction(n, 7) for n in range(1, 7)), Fraction(1, 2)]))
#: Widths are cut to multiples of one of these: 4 is the pruner's usual, 64 a head's width, 256 a K-quant's block.
ROUNDINGS = (4, 64, 256)
#: Numbers in the smallest block of any quantisation.
SMALLEST_BLOCK = 32


def prune_shape(shape: Shape, ratio: float, round_to: int) -> Shape:
    """The shape after pruning; depth, vocabulary and the width of a head stay.

    Args:
        shape: before.
        ratio: the share of every width, and of the query heads, that goes; between 0 and 1.
        round_to: hidden and feed-forward widths are cut further, to a multiple of this.

    Raises:
        ConvertError: no ratio, or no rounding.
    """
    if not 0 < ratio < 1 or round_to < 1:
        raise ConvertError(f"Pruning takes a ratio between 0 and 1 and a whole number to round to, not {ratio}.")
    heads, kv_heads = _prune_heads(shape.heads, shape.kv_heads, ratio)
    hidden, ffn = (_prune_width(width, ratio, round_to) for width in (shape.hidden, shape.ffn))
    return replace(shape, hidden=hidden, ffn=ffn, heads=heads, kv_heads=kv_heads)


def find_obstacle(shape: Shape) -> str | None:
    """Why nobody should make this shape, in a sentence; None where nothing speaks against it."""
    try:
        shape.validate()
    except ConvertError as error:
        return str(error)
    for width in (shape.hidden, shape.q_width):  # the rows of all matrices but one
        if width % SMALLEST_BLOCK:
            return f"Rows of {width} numbers fit no quantisation: the smallest blocks hold {SMALLEST_BLOCK}."
    return None


def _prune_width(width: int, ratio: float, round_to: int) -> int:
    """In floating point, as the pruner computes it. A width of which nothing would be left stays whole."""
    kept = int(width * (1 - ratio))
    return kept - kept % round_to or width


def _prune_heads(heads: int, kv_heads: int, ratio: float) -> tuple[int, int]:
    """Query heads that share a key/value head go in equal numbers; key/value heads go only where nothing is shared.

    Down to one query head for each key/value head the pruner does not go: it then leaves all heads.
    """
    removed = ceil(ratio * heads)
    if heads == kv_heads:
        kept = heads - removed or heads
        return kept, kept
    kept = heads - ceil(removed / kv_heads) * kv_heads
    return kept if kept > kv_heads else heads, kv_heads
