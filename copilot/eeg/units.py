"""Microvolts, whatever a file holds: the scale at which the signal has a scalp's size (see ``to_microvolts``)."""

import numpy as np
import numpy.typing as npt

from copilot.eeg.types import RecordingError
from copilot.i18n import english, sentence

Floats = npt.NDArray[np.float32]

SCALP_UV = (0.5, 500.0)
"""What the 1-40 Hz signal of a scalp can measure; three decades, so that only one of V, mV, uV and nV fits."""
NOISE_UV = 40.0
"""Above this, a signal as strong at 40 Hz and more as below 20 Hz is no EEG but bytes that are not samples."""
MAX_MISSING = 0.05
_SCALES = {1e6: english.VOLTS, 1e3: english.MILLIVOLTS, 1.0: english.MICROVOLTS, 1e-3: english.NANOVOLTS}


def fill_gaps(data: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Bridge missing values (NaN, infinity) by straight lines; ``data`` has shape (channels, samples).

    Raises:
        RecordingError: more than ``MAX_MISSING`` of them.
    """
    missing = ~np.isfinite(data)
    if not missing.any():
        return data, ()
    if missing.mean() > MAX_MISSING:
        raise RecordingError(sentence(english.MISSING_VALUES, share=float(missing.mean())))
    data = data.copy()
    places = np.arange(data.shape[1])
    for row, gaps in zip(data, missing, strict=True):
        if gaps.any():
            row[gaps] = np.interp(places[gaps], places[~gaps], row[~gaps])
    return data, (sentence(english.NOTE_BRIDGED, share=float(missing.mean())),)


def recorded(data: Floats) -> npt.NDArray[np.bool_]:
    """Channels, bool of shape (channels,), with at least one value; all if none has."""
    there = np.isfinite(data).any(axis=1)
    return np.asarray(there if there.any() else np.ones_like(there))


def to_microvolts(data: Floats, sfreq: float, stated: bool) -> tuple[Floats, tuple[str, ...]]:
    """Scale ``data``, shape (channels, samples), to microvolts.

    Args:
        data: in microvolts as the file states its units (``stated``), else in units unknown.
        sfreq: samples a second, Hz.
        stated: whether the file states units; then only a signal that cannot be a scalp's is rescaled, as when a file
            says volts and means microvolts.

    Raises:
        RecordingError: no unit makes it a scalp's signal.
    """
    size, noise = _size_and_noise(data, sfreq)
    if size == 0:
        raise RecordingError(sentence(english.NOTHING_RECORDED))
    scale = _scale(size, stated)
    if scale is None or (size * scale > NOISE_UV and noise > 0.5) or (stated and scale != 1 and noise > 0.3):
        raise RecordingError(sentence(english.NO_SCALP))
    if scale == 1:
        return data, () if stated else (sentence(english.NOTE_MICROVOLTS),)
    note = (
        sentence(english.NOTE_RESCALED, factor=scale) if stated else sentence(english.NOTE_SCALED, unit=_SCALES[scale])
    )
    return data * np.float32(scale), (note,)


def _scale(size: float, stated: bool) -> float | None:
    low, high = SCALP_UV
    if stated and low / 5 <= size <= high * 1.2:
        return 1.0
    candidates = (1e-9, 1e-6, 1e-3, 1e3, 1e6) if stated else tuple(_SCALES)
    return next((scale for scale in candidates if low <= size * scale < high), None)


def _size_and_noise(data: Floats, sfreq: float, windows: int = 20) -> tuple[float, float]:
    """Robust size of the 1-40 Hz signal, and how strong it is from 40 Hz up against 2-20 Hz (0 where unknown).

    Medians over channels and over windows of two seconds, so that drifts, mains hum and bad electrodes do not count.
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
