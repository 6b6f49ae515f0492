"""Bring signals to microvolts: by the units that a file states, or else by the size that EEG of a scalp has."""

import re
from collections.abc import Sequence
from statistics import mode

import numpy as np
import numpy.typing as npt

from copilot.eeg.types import RecordingError
from copilot.i18n import N_

NOTE_SOME_UNITS = N_(
    "For {count} channels the file states no unit that is known; they were taken in that of the others."
)
NO_SCALP = N_(
    "The values cannot be a scalp's in any unit, so the file is damaged or holds something else; get the original "
    "again, or export it in microvolts."
)
NOTE_RESCALED = N_(
    "The units that the file states do not fit its values, which were multiplied by {factor:g} to be microvolts."
)

Floats = npt.NDArray[np.float32]

SCALP_UV = (0.5, 500.0)
"""Limits of the 1-40 Hz signal of a scalp; three decades, so that only one of V, mV, uV and nV fits."""
NOISE_UV = 40.0
"""A larger signal that is as strong at 40 Hz and more as below 20 Hz is no EEG but bytes that are not samples."""
MAX_MISSING = 0.05
_SCALES = {1e6: N_("volts"), 1e3: N_("millivolts"), 1.0: N_("microvolts"), 1e-3: N_("nanovolts")}
_MICRO = ("u", "\u00b5", "\u03bc", "micro")
_PREFIXES = {"": 1e6, "m": 1e3, "milli": 1e3, "n": 1e-3, "nano": 1e-3} | dict.fromkeys(_MICRO, 1.0)
"""Two letters look alike: the micro sign (U+00B5) and the Greek mu (U+03BC)."""
_UNIT = re.compile(r"(?i)(milli|micro|nano|[mun\u00b5\u03bc]?)[ .]?v(?:olts?)?(?:rms|/bit)?")


def convert_to_microvolts(text: str) -> float | None:
    """Return how many microvolts one of a unit is: ``uV``, ``UV``, ``uVolt``, ``mV``, ``V``; None if unknown."""
    text = text.split("\0")[0].strip(" \t[]().").replace("\u00c2", "")  # what is left of UTF-8 read as Latin-1
    text = text.replace("\u0083\u00ca", "u").replace("\u00ce\u00bc", "u")  # mu in Shift-JIS and in UTF-8
    found = _UNIT.fullmatch(text)
    if not found:
        return None
    return _PREFIXES[found[1].lower()]


def find_factors(units: Sequence[str]) -> tuple[list[float] | None, tuple[str, ...]]:
    """Return the microvolts of each channel's unit, or None if no unit is known, and notes for the reader.

    Channels that state no unit take the most frequent unit of the others.
    """
    known = [convert_to_microvolts(unit) for unit in units]
    stated = [factor for factor in known if factor is not None]
    if not stated:
        return None, (N_("The file states no units that are known."),)
    if len(stated) == len(known):
        return stated, ()
    usual = mode(stated)
    note = N_(NOTE_SOME_UNITS, count=len(known) - len(stated))
    return [usual if factor is None else factor for factor in known], (note,)


def fill_gaps(data: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Interpolate missing values (NaN, infinity) linearly; ``data`` has shape (channels, samples), microvolts.

    Returns:
        The signal without gaps, same shape, and notes for the reader.

    Raises:
        RecordingError: more than ``MAX_MISSING`` of them.
    """
    missing = ~np.isfinite(data)
    if not missing.any():
        return data, ()
    if missing.mean() > MAX_MISSING:
        raise RecordingError(
            N_(
                "{share:.0%} of the values are missing or not numbers; export the recording again.",
                share=float(missing.mean()),
            )
        )
    data = data.copy()
    places = np.arange(data.shape[1])
    for row, gaps in zip(data, missing, strict=True):
        if gaps.any():
            row[gaps] = np.interp(places[gaps], places[~gaps], row[~gaps])
    return data, (
        N_("{share:.2%} of the values were missing and were bridged by straight lines.", share=float(missing.mean())),
    )


def find_recorded(data: Floats) -> npt.NDArray[np.bool_]:
    """Find channels of ``data``, shape (channels, samples), with at least one value; all if none has.

    Returns:
        bool, shape (channels,).
    """
    there = np.isfinite(data).any(axis=1)
    return np.asarray(there if there.any() else np.ones_like(there))


def to_microvolts(data: Floats, sfreq: float, stated: bool) -> tuple[Floats, tuple[str, ...]]:
    """Scale ``data``, shape (channels, samples), to microvolts.

    Args:
        data: in microvolts if the file states its units (``stated``), else in unknown units.
        sfreq: samples per second, Hz.
        stated: whether the file states units; then only a signal that cannot be a scalp's is rescaled, as when a file
            says volts and means microvolts.

    Returns:
        The signal in microvolts, same shape, and notes for the reader.

    Raises:
        RecordingError: no unit makes it a scalp's signal.
    """
    size, noise = _measure_size_and_noise(data, sfreq)
    if size == 0:
        raise RecordingError(
            N_("Every channel is constant: nothing was recorded, or the export failed; record or export again.")
        )
    low, high = SCALP_UV
    if stated and low / 5 <= size <= high * 1.2:
        scale: float | None = 1.0
    else:
        candidates = (1e-9, 1e-6, 1e-3, 1e3, 1e6) if stated else tuple(_SCALES)
        scale = next((scale for scale in candidates if low <= size * scale < high), None)
    if scale is None or (size * scale > NOISE_UV and noise > 0.5) or (stated and scale != 1 and noise > 0.3):
        raise RecordingError(NO_SCALP)
    if scale == 1:
        return data, () if stated else (N_("The values were taken as microvolts, which fits their size."),)
    note = (
        N_(NOTE_RESCALED, factor=scale)
        if stated
        else N_(
            "The values were taken as {unit}, which fits their size, and scaled to microvolts.", unit=_SCALES[scale]
        )
    )
    return data * np.float32(scale), (note,)


def _measure_size_and_noise(data: Floats, sfreq: float, windows: int = 20) -> tuple[float, float]:
    """Return the robust size of the 1-40 Hz signal, and its power from 40 Hz up over that at 2-20 Hz (0 where unknown).

    Medians over channels and over windows of two seconds, so that drifts, line noise and bad electrodes do not count.

    Args:
        data: shape (channels, samples).
        sfreq: samples per second, Hz.
        windows: how many windows are looked at.
    """
    length = int(2 * sfreq)
    starts = np.unique(np.linspace(0, data.shape[1] - length, windows).astype(int))
    pieces = np.stack([data[:, start : start + length] for start in starts]).astype(float)
    ramp = np.linspace(0, 1, length)
    pieces -= pieces[..., :1] * (1 - ramp) + pieces[..., -1:] * ramp  # drifts would leak into every frequency
    spectra, hz = np.fft.rfft(pieces), np.fft.rfftfreq(length, 1 / sfreq)
    power = np.abs(spectra) ** 2
    spectra[..., (hz < 1) | (hz > 40)] = 0
    size = 1.4826 * np.median(np.abs(np.fft.irfft(spectra, length)), axis=-1)
    live = size > 0
    if not live.any():
        return 0.0, 0.0
    high, low = (hz > 40) & (hz < 0.45 * sfreq), (hz >= 2) & (hz <= 20)
    ratio = np.median(power[..., high], axis=-1)[live] / (np.median(power[..., low], axis=-1)[live] + 1e-30)
    return float(np.median(size[live])), float(np.median(ratio)) if high.sum() > 5 else 0.0
