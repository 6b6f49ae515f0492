"""Convert the rotary embedding of Hugging Face's checkpoints to that of llama.cpp's ``llama`` architecture.

Rotary embedding (https://arxiv.org/abs/2104.09864) rotates pairs of numbers. Hugging Face pairs number i of a head with
number i + half. llama.cpp does the same for ``qwen2``, but for ``llama`` it pairs neighbours. The two are equal once
the rows of the query and key weights are put in another order.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from convert.files import ConvertError

Number = TypeVar("Number", bound=np.generic)
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


def interleave_pairs(rows: npt.NDArray[Number], head_dim: int) -> npt.NDArray[Number]:
    """Reorder the rows of whole heads so that the two numbers of a pair are neighbours.

    Args:
        rows: a query or key weight or bias, or the B of a LoRA; shape (heads * head_dim, ...).
        head_dim: count of the rows of one head.

    Returns:
        The reordered rows, in the same shape.
    """
    halves = rows.reshape(-1, 2, head_dim // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)
