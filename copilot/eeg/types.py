"""Define the types of a recording that readers, cleaning and features share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from copilot.errors import CopilotError
from copilot.i18n import messages

MIN_SECONDS = 10
MIN_CHANNELS = 4
SFREQ_HZ = (100.0, 20000.0)
"""Below the first, too little is left of the bands up to 47 Hz."""


class DamagedFileError(ValueError):
    """A check of our own found that a file contradicts its format."""


class RecordingError(CopilotError, ValueError):
    """A file cannot be used; the message is one plain sentence that says what is wrong and what to do."""


class SleepStage(NamedTuple):
    """A stretch of a recording in one sleep stage, as a person or a program scored it.

    Attributes:
        start: seconds from the start of the recording.
        seconds: how long it lasts.
        stage: one of ``SLEEP_STAGES``.
    """

    start: float
    seconds: float
    stage: str


#: Iber et al. 2007, AASM manual; the stages 3 and 4 of Rechtschaffen and Kales (1968) are both N3.
SLEEP_STAGES = ("W", "R", "N1", "N2", "N3")


@dataclass(frozen=True)
class Recording:
    """An EEG recording in microvolts, with standard channel names.

    Attributes:
        data: float32, shape (channels, samples), in microvolts.
        sfreq: samples per second, Hz.
        channels: standard 10-20/10-10 names (``Fp1``, ``T7``), one per row of ``data``, no duplicates.
        source: the kind of file it was read from (``EDF``), never its name or path.
        notes: what was found and done, plain sentences, in order.
        rate_read: samples per second as read, Hz, before any cleaning; None for signals that were not read.
        rate_from: where that rate comes from, part of a sentence (``messages.RATE_STATED`` and its neighbours).
        stages: sleep stages that the file states, in order.
    """

    data: npt.NDArray[np.float32]
    sfreq: float
    channels: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = field(default=())
    rate_read: float | None = None
    rate_from: str = ""
    stages: tuple[SleepStage, ...] = ()

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return int(self.data.shape[1]) / self.sfreq

    def with_notes(self, *sentences: str) -> "Recording":
        """Return the same recording with more notes."""
        return replace(self, notes=self.notes + sentences)


Loaded = tuple[npt.NDArray[np.float32], float, float]
"""Signal, shape (channels, samples); samples per second, Hz; length of the whole recording in seconds."""


@dataclass(frozen=True)
class Source:
    """An opened file, before its signal is read.

    Attributes:
        kind: the common name of this kind of file.
        labels: every channel's label, as in the file.
        load: (rows, seconds) -> the signal of these channels, at most so many seconds from the start.
        unit_stated: whether the signal comes in microvolts because the file states its units; else its units are
            unknown.
        notes: what was found, plain sentences.
        rate_from: where the sampling rate comes from (``messages.RATE_STATED`` and its neighbours).
        stages: sleep stages that the file states, in order.
    """

    kind: str
    labels: Sequence[str]
    load: Callable[[Sequence[int], float], Loaded]
    unit_stated: bool
    notes: tuple[str, ...] = field(default=())
    rate_from: str = messages.RATE_STATED
    stages: tuple[SleepStage, ...] = ()
