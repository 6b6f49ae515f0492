"""Clean a ``Recording`` and say how far to trust it (see ``clean``)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from copilot.eeg import artefacts, faults
from copilot.eeg.recording import Recording, RecordingError

SFREQ = 250
"""Samples a second of every cleaned recording, Hz."""
BAND_HZ = (0.5, 47.0)
MIN_CLEAN_SECONDS = 10
LOUD_UV = (75.0, 200.0)
"""A second is loud beyond six times its channel's usual amplitude, but never below the first nor above the second."""
LOUD_SHARE = 0.05
"""A second is unusable when more than this share of the channels is loud, flat or clipped in it."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class ChannelQuality:
    """What was found on one channel, before cleaning."""

    name: str
    flat: bool = False
    railed: bool = False
    noisy: bool = False
    interpolated: bool = False
    amplitude_uv: float = 0.0
    """Robust amplitude (1.4826 x median absolute deviation) after cleaning, microvolts."""


@dataclass(frozen=True)
class Quality:
    """What cleaning found and did, and what it means.

    Attributes:
        channels: one entry a channel of the recording as read.
        line_hz: mains frequency found (50 or 60), or None.
        line_ratio: power at the mains frequency over that of its neighbourhood, before removal.
        clean: bool, shape (whole seconds,): which seconds are usable.
        components_removed: independent components taken out, by kind, e.g. {"ocular": 1, "muscle": 2}.
        trust: ``good``, ``fair`` or ``poor``.
        sentences: what was done and what it means for trust, plain sentences.
    """

    channels: tuple[ChannelQuality, ...]
    line_hz: float | None
    line_ratio: float
    clean: npt.NDArray[np.bool_]
    components_removed: dict[str, int]
    trust: str
    sentences: tuple[str, ...]

    @property
    def clean_share(self) -> float:
        """Share of seconds that are usable, 0 to 1."""
        return float(self.clean.mean()) if self.clean.size else 0.0

    @property
    def clean_seconds(self) -> int:
        """How many seconds are usable."""
        return int(self.clean.sum())

    def as_dict(self) -> dict[str, object]:
        """The report as plain JSON types."""
        return {
            "trust": self.trust,
            "clean_seconds": self.clean_seconds,
            "clean_share": round(self.clean_share, 3),
            "line_hz": self.line_hz,
            "line_ratio": round(self.line_ratio, 2),
            "components_removed": dict(self.components_removed),
            "channels": [
                {
                    "name": c.name,
                    "flat": c.flat,
                    "railed": c.railed,
                    "noisy": c.noisy,
                    "interpolated": c.interpolated,
                    "amplitude_uv": round(c.amplitude_uv, 1),
                }
                for c in self.channels
            ],
            "sentences": list(self.sentences),
        }


def clean(recording: Recording, progress: Progress | None = None) -> tuple[Recording, Quality]:
    """Take out of a recording what is not brain, as far as that can be done, and report on it.

    In this order: mains hum, 0.5 to 47 Hz, 250 Hz, bad channels found (PREP's criteria, see ``faults``), average
    reference, ocular and muscle components (see ``artefacts``), bad channels interpolated by spherical splines (Perrin
    et al. 1989), loud seconds marked. Below 8 channels the last of these is all that can be done: the recording keeps
    its reference, and bad channels are dropped. The same recording gives the same result.

    Args:
        recording: as read.
        progress: called with the share done (0 to 1) and a few words on what comes next.

    Raises:
        RecordingError: fewer than 10 usable seconds, or half of the channels are bad.
    """
    report = progress or (lambda share, words: None)
    if recording.seconds < MIN_CLEAN_SECONDS:
        raise RecordingError(_too_short(recording.seconds))
    report(0.0, "looking for mains hum")
    line_hz, line_ratio = faults.find_line(recording.data, recording.sfreq)
    report(0.05, "filtering")
    data = _filter(recording, line_hz)
    report(0.25, "looking for bad channels")
    found = faults.find_bad_channels(recording.data, recording.sfreq, data, SFREQ)
    bad = [name for name, is_bad in zip(recording.channels, found.bad, strict=True) if is_bad]
    if 2 * len(bad) >= len(recording.channels):
        raise RecordingError(
            f"{len(bad)} of {len(recording.channels)} electrodes carry no usable signal ({', '.join(bad)}): "
            "check their contact and record again."
        )
    report(0.35, "taking out eyes and muscles")
    data, channels, removed = _separate(data, recording.channels, bad, found)
    report(0.9, "looking for loud seconds")
    usable = _usable_seconds(data, found)
    if usable.sum() < MIN_CLEAN_SECONDS:
        raise RecordingError(_too_short(int(usable.sum())))
    report(1.0, "clean")
    ...
