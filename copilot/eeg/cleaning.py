"""Clean a ``Recording`` and say how far to trust it (see ``clean``)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
