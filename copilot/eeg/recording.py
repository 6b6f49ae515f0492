"""Read any EEG file into a ``Recording`` (see ``read``)."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt


class RecordingError(ValueError):
    """A file cannot be used; the message is one plain sentence that says what is wrong and what to do."""


@dataclass(frozen=True)
class Recording:
    """EEG as it passes through the house.

    Attributes:
        data: float32, shape (channels, samples), in microvolts.
        sfreq: samples a second, Hz.
        channels: standard 10-20/10-10 names (``Fp1``, ``T7``), one a row of ``data``, no duplicates.
        source: what kind of file it came from (``EDF``), never its name or path.
        notes: what was found and done, plain sentences, in order.
    """

    data: npt.NDArray[np.float32]
    sfreq: float
    channels: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.data.shape[1] / self.sfreq

    def noted(self, *sentences: str) -> "Recording":
        """The same recording with more notes."""
        return replace(self, notes=self.notes + sentences)
