"""Check whether the numbers of a file can be in the order that its header states (see ``contradicts_order``)."""

import numpy as np
import numpy.typing as npt

SAMPLES = 5000
ROUGH, SMOOTH = 1.2, 0.6
"""Mean squared step over variance: 2 for independent numbers, near 0 for a signal that is sampled densely."""


def contradicts_order(numbers: npt.NDArray[np.generic], channels: int, multiplexed: bool) -> bool:
    """Return whether a file's numbers jump in the order stated, and run smoothly in the other order.

    Args:
        numbers: all numbers of the file, shape (channels x samples,), in the order in which they are stored.
        channels: how many there are.
        multiplexed: the order stated: all channels of one time after the other; else all times of one channel.
    """
    length = len(numbers) // channels
    kept = min(length, SAMPLES)
    by_time = numbers[: channels * kept].reshape(kept, channels).T
    by_channel = numbers[: channels * length].reshape(channels, length)[:, :kept]
    stated, other = (by_time, by_channel) if multiplexed else (by_channel, by_time)
    return _measure_roughness(stated) > ROUGH and _measure_roughness(other) < SMOOTH


def _measure_roughness(data: npt.NDArray[np.generic]) -> float:
    """Return the median over channels of the mean squared step over the variance, without what all channels have in
    common.

    Line noise is much the same everywhere; at a low rate it alone would make a good recording look rough. ``data`` has
    shape (channels, samples).
    """
    values = np.nan_to_num(np.asarray(data, dtype=float))
    values -= values.mean(axis=1, keepdims=True)
    values -= np.median(values, axis=0)
    spread = values.var(axis=1)
    live = spread > 0
    if not live.any():
        return 0.0
    return float(np.median((np.diff(values[live], axis=1) ** 2).mean(axis=1) / spread[live]))
