"""Draw the figures of a record: the signal and its band powers."""

from dataclasses import dataclass, field

from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.types import Recording


@dataclass(frozen=True)
class Figures:
    """Two PNG files: ten seconds of the signal, and the power of five bands over the scalp."""

    signal: bytes = field(repr=False)
    bands: bytes = field(repr=False)


def draw_figures(
    raw: Recording, cleaned: Recording, quality: Quality, language: str = "en", *, dark: bool = False
) -> Figures:
    """Draw the figures of a record; this takes about a second.

    Args:
        raw: the recording as read.
        cleaned: the recording after cleaning.
        quality: quality of the recording, from cleaning.
        language: language of the labels.
        dark: whether the figures are for a dark page; otherwise for white paper.
    """
    from copilot.eeg import plots  # matplotlib takes a second to import

    return Figures(
        signal=plots.encode_png(plots.draw_signal(raw, cleaned, quality, dark=dark, language=language)),
        bands=plots.encode_png(plots.draw_band_power(cleaned, quality, dark=dark, language=language)),
    )
