"""Find signal that stands in a recording more than once, as where a file was joined with itself: ``find_share``."""

import numpy as np
import numpy.typing as npt

_CHANNELS, _WINDOW = 4, 16
_FACTOR = np.uint64(6364136223846793005)  # Knuth's, for 64-bit hashes


def find_share(data: npt.NDArray[np.float32]) -> float:
    """Return the share (0 to 1) of short windows, bit for bit, that were there before; ``data``: (channels, samples).

    Windows that mostly stand still do not count: a coarse or a held signal repeats itself anyway.
    """
    if data.shape[1] < 2 * _WINDOW:
        return 0.0
    with np.errstate(over="ignore"):
        columns = np.zeros(data.shape[1], dtype=np.uint64)
        for row in np.ascontiguousarray(data[:_CHANNELS], dtype=np.float32):
            columns = columns * _FACTOR + row.view(np.uint32)
        windows = np.zeros(len(columns) - _WINDOW + 1, dtype=np.uint64)
        for shift in range(_WINDOW):
            windows = windows * _FACTOR + columns[shift : shift + len(windows)]
    steps = np.concatenate([[0], np.cumsum(columns[1:] != columns[:-1])])
    moving = windows[steps[_WINDOW - 1 :][: len(windows)] - steps[: len(windows)] > _WINDOW // 2]
    return 1 - len(np.unique(moving)) / len(windows) - (len(windows) - len(moving)) / len(windows)
