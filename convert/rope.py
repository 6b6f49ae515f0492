"""Rotary embedding, as Hugging Face's checkpoints hold it and as llama.cpp's ``llama`` architecture wants it.

Rotary embedding (https://arxiv.org/abs/2104.09864) turns pairs of numbers. Hugging Face pairs number i of a head with
number i + half; llama.cpp does so for ``qwen2``, but for ``llama`` it pairs neighbours. Putting the rows of the query
and key weights in another order makes the two the same.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from convert.files import ConvertError

Number = TypeVar("Number", bound=np.generic)
#: Of the numbers of ``Llama3Scaling``, in its order.
CONFIG_NAMES = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


@dataclass(frozen=True)
class Llama3Scaling:
    """How Llama 3.1 and later slow down the turning of the slow pairs, so that longer texts fit.

    Attributes:
        factor: how many times slower the slowest pairs turn.
        low: pairs that turn fewer times than this within ``context`` are slow.
        high: pairs that turn more times than this are left alone.
        context: tokens the model was trained on before.
    """

    factor: float
    low: float
    high: float
    context: float

    @classmethod
    def read(cls, rope: dict[str, Any]) -> "Llama3Scaling":
        """Take it from the ``rope_parameters`` (or ``rope_scaling``) of a configuration.

        Raises:
            ConvertError: a number is missing, not positive, or the two limits are in the wrong order.
        """
        values = [rope.get(name) for name in CONFIG_NAMES]
        numbers = [float(value) for value in values if isinstance(value, int | float) and 0 < value < 2**31]
        if len(numbers) < len(CONFIG_NAMES) or numbers[1] >= numbers[2]:
            raise ConvertError(f"config.json has to give {', '.join(CONFIG_NAMES)} of its llama3 rotary embedding.")
        return cls(*numbers)

    def as_config(self) -> dict[str, Any]:
        """What ``read`` takes it from."""
        numbers = (self.factor, self.low, self.high, int(self.context))
        return {"rope_type": "llama3"} | dict(zip(CONFIG_NAMES, numbers, strict=True))

    def divisors(self, base: float, head_dim: int) -> npt.NDArray[np.float32]:
        """By how much each pair turns slower than without scaling; shape (head_dim / 2,).

        Computed in float32, as llama.cpp's own converter does, for the same bits.
        """
        exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
        turns = np.float32(self.context) / (np.float32(2 * np.pi) * np.float32(base) ** exponents)
        kept = (turns - np.float32(self.low)) / np.float32(self.high - self.low)
        between = 1 / ((1 - kept) / np.float32(self.factor) + kept)
        slow, fast = turns < self.low, turns > self.high
        return np.where(slow, self.factor, np.where(fast, 1, between)).astype(np.float32)


def interleave_pairs(rows: npt.NDArray[Number], head_dim: int) -> npt.NDArray[Number]:
    """Put the rows of whole heads in the order in which the two numbers of a pair are neighbours.

    Args:
        rows: of a query or key weight or bias (or of a LoRA's B), shape (heads * head_dim, ...).
        head_dim: rows of one head.

    Returns:
        An array of the same shape.
    """
    halves = rows.reshape(-1, 2, head_dim // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)
