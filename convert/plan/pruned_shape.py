"""Compute a model's shape after pruning, so that ``plan`` and a pruner mean the same by a ratio.

The arithmetic is that of torch-pruning 1.6.1 (Fang et al. 2023, https://arxiv.org/abs/2301.12900) on a Qwen2 or Llama
model. Whole query heads are pruned (``prune_num_heads``), the width of a head stays, and the output head follows the
embedding.
"""

from dataclasses import replace
from fractions import Fraction
from math import ceil

from convert.files import ConvertError
from convert.shape import Shape

#: Sevenths divide the 14 query heads of Qwen2-0.5B evenly; a half is what the EEG Emotion Copilot's authors pruned by
#: (https://arxiv.org/abs/2410.00166).
RATIOS = tuple(sorted([*(Fraction(n, 7) for n in range(1, 7)), Fraction(1, 2)]))
#: Widths become multiples of one of these: 4 is the pruner's default, 64 a head's width, 256 a K-quant's block.
ROUNDINGS = (4, 64, 256)
#: Count of the numbers in the smallest block of any quantised type.
SMALLEST_BLOCK = 32


def prune_shape(shape: Shape, ratio: float, round_to: int) -> Shape:
    """Return the shape after pruning; depth, vocabulary and the width of a head stay.

    Args:
        shape: the shape before pruning.
        ratio: share of every width, and of the query heads, that is removed; between 0 and 1.
        round_to: hidden and feed-forward widths are reduced further, to a multiple of this number.

    Raises:
        ConvertError: ``ratio`` or ``round_to`` is out of its range.
    """
    if not 0 < ratio < 1 or round_to < 1:
        raise ConvertError(f"Pruning takes a ratio between 0 and 1 and a whole number to round to, not {ratio}.")
    heads, kv_heads = _prune_heads(shape.heads, shape.kv_heads, ratio)
    hidden, ffn = (_prune_width(width, ratio, round_to) for width in (shape.hidden, shape.ffn))
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


def _prune_width(width: int, ratio: float, round_to: int) -> int:
    """Return a width after pruning, computed in floating point like the pruner; one that would become 0 stays."""
    kept = int(width * (1 - ratio))
    return kept - kept % round_to or width


def _prune_heads(heads: int, kv_heads: int, ratio: float) -> tuple[int, int]:
    """Return the query heads and key/value heads after pruning.

    The same number of query heads is removed from each key/value head. Key/value heads are removed only where each has
    one query head. The pruner does not go down to one query head for each shared key/value head: it then keeps all.
    """
    removed = ceil(ratio * heads)
    if heads == kv_heads:
        kept = heads - removed or heads
        return kept, kept
    kept = heads - ceil(removed / kv_heads) * kv_heads
    return kept if kept > kv_heads else heads, kv_heads
