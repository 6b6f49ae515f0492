"""Clean a ``Recording`` and state how far to trust it (see ``clean``)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from copilot.eeg.electrodes import STANDARD
from copilot.eeg.preprocessing import bad_channels, ica, quality
from copilot.eeg.preprocessing.bad_channels import Bools, Floats, SignalFaults, take_seconds
from copilot.eeg.preprocessing.quality import BAND_HZ, SFREQ, Quality, measure_amplitude, select_names
from copilot.eeg.types import Recording, RecordingError
from copilot.i18n import N_

TOO_FEW_SECONDS = N_(
    "Only {seconds} seconds of this recording can be used, and {least} are needed: record for a minute or more, "
    "sitting still."
)
TOO_MANY_BAD = N_(
    "{bad} of {total} electrodes carry no usable signal ({names}): check their contact with the skin and record again."
)
TOO_FEW_SECONDS_LOUD = N_(
    "Only {seconds} seconds of this recording can be used, and {least} are needed: its usual amplitude of "
    "{amplitude:.0f} µV is more than EEG has, so check the unit that the file or its export states, and that the "
    "person sat still."
)
TOO_FEW_SECONDS_HUM = N_(
    "Only {seconds} seconds of this recording can be used, and {least} are needed: interference at {hertz:g} Hz "
    "drowns the rest, so find what causes it and record again."
)
COPIES = N_(
    "Most channels hold the same signal as others and nothing of their own: check how the electrodes are connected and "
    "that they touch the skin."
)
NORMALISED = N_(
    "All channels have the same size, so the values were normalised and are no voltages: export the recording again in "
    "microvolts."
)

LINE_RATIO = 2.5
"""Line noise is found when its power is this many times that of its neighbourhood."""
ROLL_OFF_HZ = 3.0
"""Steep enough that nothing is left at 50 Hz."""
MIN_CLEAN_SECONDS = 10
LEARNT_UV = 500.0
"""ICA is fitted to seconds below this: a blink is below it, a pulled cable is not."""
LOUD_UV = (75.0, 200.0)
"""Loud is six times a channel's usual amplitude, but never less than the first nor more than the second."""
FEW_SHARE = 0.05
"""A second may be lost on this share of the channels and still be used."""
EMPTY_SHARE = 0.25
"""A second with less than this share of what a channel usually has, on most channels, contains no signal: calm seconds
of people have 0.38 and more, faded ends 0.18 and less."""

Progress = Callable[[float, str], None]


def clean(recording: Recording, progress: Progress | None = None) -> tuple[Recording, Quality]:
    """Remove from a recording what is not brain, as far as that can be done, and report on it.

    The steps are, in this order: line noise removed, 0.5 to 47 Hz, 250 Hz, bad channels found (see ``bad_channels``: by
    PREP's criteria, and once more by their places), average reference, ocular and muscle components removed (see
    ``ica``), bad channels interpolated by spherical splines (Perrin et al. 1989), loud and empty seconds marked. With
    fewer than 8 good channels the last of these is all that can be done about artefacts: the recording keeps its
    reference, and bad channels are dropped. At the end the cleaned signal is judged as a whole (see ``quality``). The
    same recording gives the same result.

    Args:
        recording: as read; every channel has a place in the 10-05 system.
        progress: called with the share done (0 to 1) and a few words on what comes next.

    Returns:
        The cleaned recording, and what was found and done.

    Raises:
        RecordingError: fewer than 10 usable seconds, half of the channels are bad, or nothing in it can be EEG.
    """
    from mne import use_log_level

    report = progress or (lambda share, words: None)
    _require_seconds(int(recording.seconds))
    if quality.is_normalised(recording.data):
        raise RecordingError(NORMALISED)
    # Missing values become a flat stretch, which is found below.
    recording = replace(recording, data=np.nan_to_num(recording.data, posinf=0.0, neginf=0.0))
    with use_log_level("ERROR"):  # MNE's warnings are about choices made here on purpose (short filters, few points)
        report(0.0, N_("looking for mains hum"))
        line = find_line_noise(recording.data, recording.sfreq)
        report(0.1, N_("filtering"))
        filtered = _filter_and_resample(recording, line[0])

        report(0.3, N_("looking for bad electrodes"))
        faults = bad_channels.find_bad_channels(recording.data, recording.sfreq, filtered, SFREQ)
        _require_channels(recording.channels, faults)
        if faults.repeated.mean() > 0.5:
            raise RecordingError(
                N_("Most of this recording repeats the same stretch sample by sample: export it again.")
            )
        faults = _add_unlike_electrodes(filtered, recording.channels, faults)
        _require_channels(recording.channels, faults)

        report(0.4, N_("taking out eyes and muscles"))
        cleaned, removed, components = _remove_artefacts(filtered, recording.channels, faults)

    # Seconds with next to nothing of the usual amplitude on most channels are empty. Usable are those in which few
    # channels are loud, empty, flat or clipped.
    report(0.95, N_("looking for loud seconds"))
    sizes = bad_channels.cut_seconds(cleaned.data, SFREQ).std(axis=2)
    usual = np.minimum(np.quantile(sizes, 0.75, axis=1, keepdims=True), LOUD_UV[0] / 3)  # movement is not usual
    empty = np.median(sizes / np.maximum(usual, 1e-9), axis=0) < EMPTY_SHARE
    kept = _find_kept_seconds(faults) & ~empty
    amplitude = measure_amplitude(take_seconds(cleaned.data, kept, SFREQ) if kept.any() else cleaned.data)
    usable = _find_calm_seconds(cleaned.data, np.clip(6 * amplitude[:, None], *LOUD_UV)) & kept
    _require_seconds(int(usable.sum()), cleaned.data)
    found = quality.judge_quality(
        recording,
        filtered,
        cleaned,
        faults,
        usable=usable,
        empty=empty | (faults.common & ~faults.repeated),
        line=line,
        removed=removed,
        components=components,
    )
    report(1.0, N_("clean"))
    notes = recording.notes + found.sentences
    return replace(recording, data=cleaned.data, sfreq=cleaned.sfreq, channels=cleaned.channels, notes=notes), found


def find_line_noise(data: Floats, sfreq: float) -> tuple[float | None, float]:
    """Find line noise at 50 or 60 Hz.

    Args:
        data: signal, shape (channels, samples), microvolts.
        sfreq: samples per second, Hz.

    Returns:
        50 or 60 or None, and the power there over the median power 2 to 6 Hz beside it (median over channels). A
        frequency too near half the sampling rate to have neighbours on both sides is not looked at.
    """
    from scipy.signal import welch

    size = round(2 * sfreq)
    hz, power = welch(data, sfreq, nperseg=size, axis=1)
    ratios = {}
    for line in (50.0, 60.0):
        away = np.abs(hz - line)
        if line + 6 <= sfreq / 2:
            peak = power[:, away <= 0.5].max(axis=1)
            floor = np.median(power[:, (away >= 2) & (away <= 6)], axis=1)
            ratios[line] = float(np.median(peak / np.maximum(floor, 1e-12)))
    ratio, line = max(((ratio, line) for line, ratio in ratios.items()), default=(1.0, 0.0))
    return (line if ratio >= LINE_RATIO else None), ratio


def _require_seconds(seconds: int, data: npt.NDArray[np.float32] | None = None) -> None:
    """Refuse fewer than 10 usable seconds; where ``data`` (channels, samples) is too loud for EEG, say so."""
    if seconds >= MIN_CLEAN_SECONDS:
        return
    counts = {"seconds": seconds, "least": MIN_CLEAN_SECONDS}
    amplitude = 0.0 if data is None else float(np.median(measure_amplitude(data)))
    if data is not None and amplitude > quality.USUAL_UV[1] / 2:
        if line := quality.find_narrow_line(*quality.compute_density(data, SFREQ)):
            raise RecordingError(N_(TOO_FEW_SECONDS_HUM, hertz=line, **counts))
        raise RecordingError(N_(TOO_FEW_SECONDS_LOUD, amplitude=amplitude, **counts))
    raise RecordingError(N_(TOO_FEW_SECONDS, **counts))


def _require_channels(channels: Sequence[str], faults: SignalFaults) -> None:
    bad = select_names(channels, faults.bad)
    if 2 * len(bad) >= len(channels):
        raise RecordingError(N_(TOO_MANY_BAD, bad=len(bad), total=len(channels), names=bad))


def _add_unlike_electrodes(
    data: npt.NDArray[np.float32], channels: Sequence[str], faults: SignalFaults
) -> SignalFaults:
    """Return the faults with those that a signal common to all electrodes had concealed; unchanged if there are few.

    Raises:
        RecordingError: half of the channels or more have no signal of their own.
    """
    good = ~faults.bad
    if good.sum() < bad_channels.FEW_CHANNELS:
        return faults
    calm = _find_calm_seconds(data[good], LEARNT_UV) & _find_kept_seconds(faults)
    if calm.sum() < MIN_CLEAN_SECONDS:
        return faults
    learnt = take_seconds(data[good], calm, SFREQ).astype(np.float64)
    unlike = np.zeros_like(good)
    unlike[good] = bad_channels.find_unlike_electrodes(learnt, SFREQ, select_names(channels, good))
    if 2 * unlike.sum() >= good.sum():
        raise RecordingError(COPIES)
    return replace(faults, flat=faults.flat | unlike)


def _filter_and_resample(recording: Recording, line_hz: float | None) -> npt.NDArray[np.float32]:
    """Remove line noise, limit to 0.5 to 47 Hz, resample to 250 Hz, cut to whole seconds.

    Returns:
        float32, shape (channels, samples), microvolts.
    """
    from mne.filter import filter_data, notch_filter, resample

    low, high = BAND_HZ
    cut = high if recording.sfreq >= 2 * (high + ROLL_OFF_HZ) else None
    rows = []
    for row in recording.data:  # one at a time: half an hour of 64 channels at 1 kHz is 0.9 GB in float64
        wave = row.astype(np.float64) - float(row.mean(dtype=np.float64))
        if line_hz:
            wave = notch_filter(wave, recording.sfreq, line_hz)
        wave = filter_data(wave, recording.sfreq, low, cut, h_trans_bandwidth=ROLL_OFF_HZ)
        rows.append(resample(wave, SFREQ, recording.sfreq).astype(np.float32))
    return np.stack(rows)[:, : int(recording.seconds) * SFREQ]


def _remove_artefacts(
    data: npt.NDArray[np.float32], channels: Sequence[str], faults: SignalFaults
) -> tuple[Recording, dict[str, int], int]:
    """Set the average reference, remove eyes and muscles, and interpolate bad channels; with few channels, only drop
    bad ones.

    Returns:
        The recording, the components removed by kind, and how many components there were.
    """
    from mne import create_info
    from mne.io import RawArray

    good = ~faults.bad
    if good.sum() < bad_channels.FEW_CHANNELS:
        return Recording(data[good], float(SFREQ), select_names(channels, good), ""), {}, 0
    raw = RawArray(data * 1e-6, create_info(list(channels), SFREQ, "eeg"))
    raw.set_montage(STANDARD)
    raw.info["bads"] = list(select_names(channels, faults.bad))
    raw.set_eeg_reference("average")
    calm = _find_calm_seconds(data[good], LEARNT_UV) & _find_kept_seconds(faults)
    _require_seconds(int(calm.sum()), data[good])
    removed, components = ica.remove_artefacts(raw, calm)
    raw.interpolate_bads()
    raw.set_eeg_reference("average")
    return Recording((raw.get_data() * 1e6).astype(np.float32), float(SFREQ), tuple(channels), ""), removed, components


def _find_calm_seconds(data: npt.NDArray[np.float32], limit: float | Floats) -> Bools:
    """Find seconds in which few channels exceed ``limit`` microvolts (one, or shape (channels, 1)); bool, shape
    (seconds,).
    """
    peaks = np.abs(bad_channels.cut_seconds(data, SFREQ)).max(axis=2)
    calm: Bools = (peaks > limit).mean(axis=0) <= FEW_SHARE
    return calm


def _find_kept_seconds(faults: SignalFaults) -> Bools:
    """Find seconds in which few of the good channels are flat or clipped; bool, shape (seconds,)."""
    kept: Bools = faults.lost[~faults.bad].mean(axis=0) <= FEW_SHARE
    return kept
