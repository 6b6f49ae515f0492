"""Clean a ``Recording`` and state how far to trust it (see ``clean``)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt

from copilot.eeg import plausibility
from copilot.eeg.numbered_montages import STANDARD
from copilot.eeg.preprocessing import bad_channels, ica, line_noise
from copilot.eeg.types import Recording, RecordingError
from copilot.i18n import N_, Message, messages

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
NOTHING_LEFT = N_(
    "Nearly everything in this recording is noise or muscle tension, and no brain signal is left: check that the "
    "headset is worn and that its electrodes touch the skin, then record again."
)
TRUST_MEANS = {
    "good": N_("The signal is good."),
    "fair": N_("The signal is fair: take what is read from it with care."),
    "poor": N_("The signal is poor: what is read from it is hardly more than a guess, so record again if you can."),
}
EMPTY_BANDS = N_(
    "These bands hold next to nothing, as after a filter: {bands}. What is read from them does not come from the brain."
)
INTERFERENCE_SHARED = N_(
    "Interference at {hertz:g} Hz was found on all electrodes; the average reference took most of it out."
)
AMPLITUDE_SMALL = N_(
    "The usual amplitude is {amplitude:.2g} µV, less than EEG has: the unit that the file or its export states is "
    "likely wrong."
)
AMPLITUDE_LARGE = N_(
    "The usual amplitude is {amplitude:.0f} µV, more than EEG has: the unit that the file or its export states is "
    "likely wrong."
)
NAMES_MIXED = N_(
    "Neighbouring electrodes are not as alike as on a head: this is no EEG, or the channels have each other's names."
)
NAMES_SHIFTED = N_(
    "The signals fit a head better when every name moves by one channel: names and signals have likely slipped."
)
MUCH_REMOVED = N_(
    "Cleaning took out {removed} of {total} components and left {share:.0%} of the amplitude: most of the recording "
    "was not brain."
)
ELECTRODES_ESTIMATED = N_(
    "{bad} of {total} electrodes gave no usable signal and were estimated from their neighbours: {which}."
)
TOO_FEW_TO_SEPARATE = N_(
    "With fewer than {count} good electrodes, eyes and muscles cannot be told apart from brain: seconds with large "
    "deflections are left out instead, and the recording keeps its own reference."
)
ARTEFACTS = {"ocular": messages.EYE_MOVEMENT, "muscle": N_("muscle tension")}


SFREQ = 250
"""Samples per second of every cleaned recording, Hz."""
BAND_HZ = (0.5, 47.0)
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
GAPS_SHARE = 0.1
"""A recording with more than this share of empty seconds among others was not recorded as it should have been."""
USUAL_UV = (2.0, 100.0)
"""Usual amplitude of EEG after cleaning; people measured 5 to 28."""
KEPT_SHARE = (0.2, 0.5)
"""Share of the amplitude that cleaning leaves: below the first nothing is left, below the second it is not trusted.
People measured 0.8 and more."""
MOST_COMPONENTS = 2 / 3
"""More than this share of the components cannot be artefacts in a recording that contains EEG."""
BAD_SHARE = (0.1, 0.2)
"""Up to the first share of bad electrodes a recording can be good, above the second it is poor."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class ChannelQuality:
    """The faults of one channel, found before cleaning."""

    name: str
    flat: bool = False
    railed: bool = False
    noisy: bool = False
    interpolated: bool = False
    joined: bool = False
    """Has the same signal as another electrode."""
    amplitude_uv: float = 0.0
    """Robust amplitude (1.4826 x median absolute deviation) of the usable seconds after cleaning, microvolts."""


@dataclass(frozen=True)
class Quality:
    """What cleaning found and did, and what it means for trust.

    Attributes:
        channels: one entry per channel of the recording as read.
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
        """Return the share of seconds that are usable, 0 to 1."""
        return float(self.clean.mean()) if self.clean.size else 0.0

    @property
    def clean_seconds(self) -> int:
        """Return how many seconds are usable."""
        return int(self.clean.sum())

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain JSON types."""
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
                    "joined": c.joined,
                    "amplitude_uv": round(c.amplitude_uv, 1),
                }
                for c in self.channels
            ],
            "sentences": list(self.sentences),
        }


def clean(recording: Recording, progress: Progress | None = None) -> tuple[Recording, Quality]:
    """Remove from a recording what is not brain, as far as that can be done, and report on it.

    The steps are, in this order: line noise removed, 0.5 to 47 Hz, 250 Hz, bad channels found (PREP's criteria, see
    ``bad_channels``, and once more after the reference, see ``plausibility``), average reference, ocular and muscle
    components removed (see ``ica``), bad channels interpolated by spherical splines (Perrin et al. 1989), loud and
    empty seconds marked. With fewer than 8 good channels the last of these is all that can be done about artefacts: the
    recording keeps its reference, and bad channels are dropped. At the end the cleaned signal is judged as a whole (see
    ``_find_doubts``). The same recording gives the same result.

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
    if plausibility.is_normalised(recording.data):
        raise RecordingError(NORMALISED)
    # Missing values become a flat stretch, which is found below.
    recording = replace(recording, data=np.nan_to_num(recording.data, posinf=0.0, neginf=0.0))
    with use_log_level("ERROR"):  # MNE's warnings are about choices made here on purpose (short filters, few points)
        report(0.0, N_("looking for mains hum"))
        line_hz, line_ratio = line_noise.find_line_noise(recording.data, recording.sfreq)
        report(0.1, N_("filtering"))
        data = _filter_and_resample(recording, line_hz)
        report(0.3, N_("looking for bad electrodes"))
        found = bad_channels.find_bad_channels(recording.data, recording.sfreq, data, SFREQ)
        _require_channels(recording.channels, found)
        if found.repeated.mean() > 0.5:
            raise RecordingError(
                N_("Most of this recording repeats the same stretch sample by sample: export it again.")
            )
        found = _add_unlike_electrodes(data, recording.channels, found)
        _require_channels(recording.channels, found)
        report(0.4, N_("taking out eyes and muscles"))
        cleaned, removed, components = _remove_artefacts(data, recording.channels, found)
    report(0.95, N_("looking for loud seconds"))
    empty = _find_empty_seconds(cleaned.data)
    usable = _find_usable_seconds(cleaned.data, found, empty)
    _require_seconds(int(usable.sum()), cleaned.data)
    doubts, remarks, joined = _find_doubts(recording, data, cleaned, found, usable, removed, components)
    empty |= found.common & ~found.repeated
    if empty.any():
        told = doubts if _has_inner_seconds(empty) and empty.mean() > GAPS_SHARE else remarks
        told.append(
            N_(
                "{count} seconds hold no signal, because it was bridged, held or fades away; they are not used.",
                count=int(empty.sum()),
            )
        )
    if found.repeated.any():
        remarks.append(
            N_(
                "{count} seconds repeat earlier ones sample by sample; they are not used.",
                count=int(found.repeated.sum()),
            )
        )
    report(1.0, N_("clean"))
    quality = _make_quality(
        recording,
        cleaned,
        found,
        line_hz,
        line_ratio,
        usable,
        removed,
        joined,
        doubts,
        remarks,
        _has_inner_seconds(empty),
    )
    cleaned = replace(cleaned, source=recording.source, notes=recording.notes + quality.sentences)
    return replace(cleaned, rate_read=recording.rate_read, rate_from=recording.rate_from), quality


def _require_seconds(seconds: int, data: npt.NDArray[np.float32] | None = None) -> None:
    """Refuse fewer than 10 usable seconds; where ``data`` (channels, samples) is too loud for EEG, say so."""
    if seconds >= MIN_CLEAN_SECONDS:
        return
    counts = {"seconds": seconds, "least": MIN_CLEAN_SECONDS}
    amplitude = 0.0 if data is None else float(np.median(_measure_amplitude(data)))
    if data is not None and amplitude > USUAL_UV[1] / 2:
        if line := plausibility.find_narrow_line(*plausibility.compute_density(data, SFREQ)):
            raise RecordingError(N_(TOO_FEW_SECONDS_HUM, hertz=line, **counts))
        raise RecordingError(N_(TOO_FEW_SECONDS_LOUD, amplitude=amplitude, **counts))
    raise RecordingError(N_(TOO_FEW_SECONDS, **counts))


def _require_channels(channels: Sequence[str], found: bad_channels.SignalFaults) -> None:
    bad = _select_names(channels, found.bad)
    if 2 * len(bad) >= len(channels):
        raise RecordingError(N_(TOO_MANY_BAD, bad=len(bad), total=len(channels), names=bad))


def _add_unlike_electrodes(
    data: npt.NDArray[np.float32], channels: Sequence[str], found: bad_channels.SignalFaults
) -> bad_channels.SignalFaults:
    """Return the faults with those that a signal common to all electrodes had concealed; unchanged if there are few.

    Raises:
        RecordingError: half of the channels or more have no signal of their own.
    """
    good = ~found.bad
    if good.sum() < bad_channels.FEW_CHANNELS:
        return found
    samples = _repeat_per_sample(_find_calm_seconds(data[good], LEARNT_UV) & _find_kept_seconds(found))
    if samples.sum() < MIN_CLEAN_SECONDS * SFREQ:
        return found
    referenced = data[good][:, : samples.size][:, samples].astype(np.float64)
    unlike = np.zeros_like(good)
    unlike[good] = plausibility.find_unlike_electrodes(referenced, SFREQ, _select_names(channels, good))
    if 2 * unlike.sum() >= good.sum():
        raise RecordingError(COPIES)
    return replace(found, flat=found.flat | unlike)


def _repeat_per_sample(seconds: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Repeat a value per whole second for each of its samples, shape (samples,)."""
    return np.repeat(seconds, SFREQ)


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
    data: npt.NDArray[np.float32], channels: Sequence[str], found: bad_channels.SignalFaults
) -> tuple[Recording, dict[str, int], int]:
    """Set the average reference, remove eyes and muscles, and interpolate bad channels; with few channels, only drop
    bad ones.

    Returns:
        The recording, the components removed by kind, and how many components there were.
    """
    from mne import create_info
    from mne.io import RawArray

    if (~found.bad).sum() < bad_channels.FEW_CHANNELS:
        return Recording(data[~found.bad], float(SFREQ), _select_names(channels, ~found.bad), ""), {}, 0
    raw = RawArray(data * 1e-6, create_info(list(channels), SFREQ, "eeg"))
    raw.set_montage(STANDARD)
    raw.info["bads"] = list(_select_names(channels, found.bad))
    raw.set_eeg_reference("average")
    calm = _find_calm_seconds(data[~found.bad], LEARNT_UV) & _find_kept_seconds(found)
    _require_seconds(int(calm.sum()), data[~found.bad])
    removed, components = ica.remove_artefacts(raw, calm)
    raw.interpolate_bads()
    raw.set_eeg_reference("average")
    return Recording((raw.get_data() * 1e6).astype(np.float32), float(SFREQ), tuple(channels), ""), removed, components


def _find_empty_seconds(data: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Find seconds with next to nothing of the usual amplitude on most channels; bool, shape (seconds,).

    ``data`` is the cleaned signal, shape (channels, samples), microvolts.
    """
    sizes = bad_channels.cut_seconds(data, SFREQ).std(axis=2)
    usual = np.minimum(np.quantile(sizes, 0.75, axis=1, keepdims=True), LOUD_UV[0] / 3)  # movement is not usual
    empty: npt.NDArray[np.bool_] = np.median(sizes / np.maximum(usual, 1e-9), axis=0) < EMPTY_SHARE
    return empty


def _has_inner_seconds(seconds: npt.NDArray[np.bool_]) -> bool:
    """Return whether some of these seconds are inside the recording: not at its start or end only."""
    others = np.flatnonzero(~seconds)
    return bool(others.size) and bool(seconds[others[0] : others[-1]].any())


def _find_usable_seconds(
    data: npt.NDArray[np.float32], found: bad_channels.SignalFaults, empty: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Find seconds of a cleaned signal in which few channels are loud, empty, flat or clipped.

    Args:
        data: cleaned signal, shape (channels, samples), microvolts.
        found: the faults of the channels.
        empty: empty seconds, bool, shape (seconds,).

    Returns:
        bool, shape (seconds,).
    """
    kept = _find_kept_seconds(found) & ~empty
    samples = _repeat_per_sample(kept)
    usual = _measure_amplitude(data[:, : samples.size][:, samples] if kept.any() else data)[:, None]
    return _find_calm_seconds(data, np.clip(6 * usual, *LOUD_UV)) & kept


def _find_calm_seconds(data: npt.NDArray[np.float32], limit: float | npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Find seconds in which few channels exceed ``limit`` microvolts (one, or shape (channels, 1)); bool, shape
    (seconds,).
    """
    peaks = np.abs(bad_channels.cut_seconds(data, SFREQ)).max(axis=2)
    calm: npt.NDArray[np.bool_] = (peaks > limit).mean(axis=0) <= FEW_SHARE
    return calm


def _find_kept_seconds(found: bad_channels.SignalFaults) -> npt.NDArray[np.bool_]:
    """Find seconds in which few of the good channels are flat or clipped; bool, shape (seconds,)."""
    kept: npt.NDArray[np.bool_] = found.lost[~found.bad].mean(axis=0) <= FEW_SHARE
    return kept


def _measure_amplitude(data: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Measure the robust amplitude of each channel: 1.4826 x median absolute deviation, microvolts.

    ``data`` has shape (channels, samples), the result (channels,).
    """
    amplitude: npt.NDArray[np.floating] = np.median(np.abs(data - np.median(data, axis=1, keepdims=True)), axis=1)
    return 1.4826 * amplitude


def _select_names(channels: Sequence[str], chosen: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, wanted in zip(channels, chosen, strict=True) if wanted)


def _make_quality(
    recording: Recording,
    cleaned: Recording,
    found: bad_channels.SignalFaults,
    line_hz: float | None,
    line_ratio: float,
    usable: npt.NDArray[np.bool_],
    removed: dict[str, int],
    joined: npt.NDArray[np.bool_],
    doubts: Sequence[str],
    remarks: Sequence[str],
    interrupted: bool,
) -> Quality:
    """Put together what was found and done.

    Args:
        recording: as read.
        cleaned: after cleaning.
        found: the faults of the channels.
        line_hz: mains frequency found, or None.
        line_ratio: power at the mains frequency over that of its neighbourhood.
        usable: usable seconds, bool, shape (seconds,).
        removed: components removed, by kind.
        joined: channels equal to another one, bool, shape (channels,).
        doubts: why not to trust the recording, plain sentences.
        remarks: other findings, plain sentences.
        interrupted: whether empty seconds are inside the recording.
    """
    samples = _repeat_per_sample(usable)
    amplitudes = dict(
        zip(cleaned.channels, _measure_amplitude(cleaned.data[:, : samples.size][:, samples]), strict=True)
    )
    channels = tuple(
        ChannelQuality(
            name,
            flat=bool(found.flat[i]),
            railed=bool(found.railed[i]),
            noisy=bool(found.noisy[i]),
            interpolated=bool(found.bad[i]) and name in amplitudes,
            joined=bool(joined[i]),
            amplitude_uv=float(amplitudes.get(name, 0.0)),
        )
        for i, name in enumerate(recording.channels)
    )
    quality = Quality(channels, line_hz, line_ratio, usable, removed, "", ())
    interfered = any(getattr(said, "template", "") == INTERFERENCE_SHARED for said in remarks)
    trust = "poor" if doubts else _rate_trust(quality)
    if trust == "good" and (interfered or interrupted):
        trust = "fair"
    told = (*_describe_cleaning(quality), *remarks, *doubts, N_(TRUST_MEANS[trust]))
    return replace(quality, trust=trust, sentences=told)


def _rate_trust(quality: Quality) -> str:
    """Rate how far to trust the result, by its electrodes and seconds.

    ``poor`` if more than 20 % of the electrodes were bad or less than half of the seconds are usable. ``good`` if at
    most 10 % were bad, at least 80 % of the seconds are usable and eye artefacts could be looked for. ``fair`` between.
    """
    bad = np.mean([c.flat or c.railed or c.noisy or c.joined for c in quality.channels])
    if bad > BAD_SHARE[1] or quality.clean_share < 0.5:
        return "poor"
    good = bad <= BAD_SHARE[0] and quality.clean_share >= 0.8 and "ocular" in quality.components_removed
    return "good" if good else "fair"


def _find_doubts(
    recording: Recording,
    filtered: npt.NDArray[np.float32],
    cleaned: Recording,
    found: bad_channels.SignalFaults,
    usable: npt.NDArray[np.bool_],
    removed: dict[str, int],
    components: int,
) -> tuple[list[str], list[str], npt.NDArray[np.bool_]]:
    """Judge the usable seconds as a whole (see ``plausibility``).

    Args:
        recording: as read.
        filtered: filtered signal, shape (channels, samples), microvolts.
        cleaned: after cleaning.
        found: the faults of the channels.
        usable: usable seconds, bool, shape (seconds,).
        removed: components removed, by kind.
        components: how many components there were.

    Returns:
        Why this may be no EEG, or none to rely on; other remarks; which channels are equal to another.

    Raises:
        RecordingError: it cannot be EEG.
    """
    doubts: list[str] = []
    remarks: list[str] = []
    samples, good = _repeat_per_sample(usable), np.flatnonzero(~found.bad)
    own = filtered[good][:, : samples.size][:, samples].astype(np.float64)
    after = cleaned.data[[cleaned.channels.index(recording.channels[i]) for i in good]]
    after = after[:, : samples.size][:, samples]
    amplitude = float(np.median(_measure_amplitude(after)))
    many = len(good) >= bad_channels.FEW_CHANNELS
    before = own - own.mean(axis=0) if many else own
    joined = np.zeros(len(recording.channels), dtype=bool)
    if many:
        joined[good] = _judge_many_channels(before, _select_names(recording.channels, ~found.bad), doubts)
        kept, count = float(np.median(after.std(axis=1) / np.maximum(before.std(axis=1), 1e-9))), sum(removed.values())
        if kept < KEPT_SHARE[0]:
            raise RecordingError(NOTHING_LEFT)
        if kept < KEPT_SHARE[1] or count > MOST_COMPONENTS * components:
            doubts.append(N_(MUCH_REMOVED, removed=count, total=components, share=kept))
    else:
        joined[good] = _judge_few_channels(own, doubts)
    if joined.any():
        remarks.append(
            N_(
                "Connected with each other, as by gel or a wire, so that they hold the same signal: {names}.",
                names=_select_names(recording.channels, joined),
            )
        )

    hz, power = plausibility.compute_density(before, SFREQ)
    own_power = plausibility.compute_density(own, SFREQ)[1] if many else power
    line, own_line = plausibility.find_narrow_line(hz, power), plausibility.find_narrow_line(hz, own_power)
    if line is not None:
        doubts.append(N_("Interference at {hertz:g} Hz was found and is still in the signal.", hertz=line))
    elif own_line is not None:
        remarks.append(N_(INTERFERENCE_SHARED, hertz=own_line))
    if empty := plausibility.find_empty_bands(hz, power):
        doubts.append(N_(EMPTY_BANDS, bands=tuple(messages.BANDS[name] for name in empty)))
    # Without what all electrodes share, and with it: EEG falls either way.
    apart = power if many else plausibility.compute_density(own - own.mean(axis=0), SFREQ)[1]
    if min(plausibility.measure_fall(hz, apart), plausibility.measure_fall(hz, own_power)) < plausibility.MIN_FALL:
        doubts.append(N_("Fast frequencies are as strong as slow ones, as in noise or muscle tension and not in EEG."))
    step = plausibility.measure_step(recording.data)
    if step > plausibility.COARSE * amplitude:
        doubts.append(
            N_(
                "The values come in steps of {step:.2g} µV, too coarse for a signal of {amplitude:.2g} µV.",
                step=step,
                amplitude=amplitude,
            )
        )
    if not USUAL_UV[0] <= amplitude <= USUAL_UV[1]:
        said = AMPLITUDE_SMALL if amplitude < USUAL_UV[0] else AMPLITUDE_LARGE
        doubts.append(N_(said, amplitude=amplitude))
    return doubts, remarks, joined


def _judge_many_channels(
    before: npt.NDArray[np.float64], channels: Sequence[str], doubts: list[str]
) -> npt.NDArray[np.bool_]:
    """Judge many channels by their places, and append to ``doubts``.

    Args:
        before: usable seconds before artefacts were removed, average reference, shape (channels, samples), microvolts.
        channels: their names.
        doubts: is appended to.

    Returns:
        Which channels are joined, bool, shape (channels,).
    """
    if plausibility.measure_first_component(before) > plausibility.ONE_SOURCE:
        raise RecordingError(messages.ALL_THE_SAME)
    directions = plausibility.compute_directions(channels)
    covariance = np.cov(before)
    if np.median(plausibility.correlate_with_prediction(covariance, directions)) < plausibility.NEIGHBOUR_R:
        doubts.append(NAMES_MIXED)
    elif plausibility.are_names_shifted(covariance, directions):
        doubts.append(NAMES_SHIFTED)
    return np.asarray(
        plausibility.find_equal_electrodes(np.cov(plausibility.extract_slow_band(before, SFREQ)), directions)[1].any(
            axis=1
        )
    )


def _judge_few_channels(own: npt.NDArray[np.float64], doubts: list[str]) -> npt.NDArray[np.bool_]:
    """Judge few channels by how similar they are, and append to ``doubts``.

    ``own`` is the signal of the usable seconds, shape (channels, samples), microvolts. Returns which channels are
    joined, bool, shape (channels,).
    """
    likeness = plausibility.correlate_channels(
        bad_channels.cut_seconds(plausibility.filter_band(own, SFREQ, (2.0, 30.0)), SFREQ)
    )
    between = likeness[np.triu_indices(len(own), 1)]
    if between.min(initial=1.0) > plausibility.FEW_SAME_R:
        doubts.append(N_("All electrodes hold nearly the same signal: check how they are connected."))
    elif between.max(initial=0.0) < plausibility.FEW_APART_R:
        doubts.append(N_("The electrodes have nothing in common, unlike any on one head: this is likely no EEG."))
    return np.asarray((likeness > plausibility.JOINED_R).any(axis=1))


def _describe_cleaning(quality: Quality) -> list[str]:
    """Describe what was done, in plain words."""
    low, high = BAND_HZ
    told: list[str] = [
        N_("Mains hum at {hertz:g} Hz was found and removed.", hertz=quality.line_hz)
        if quality.line_hz
        else N_("No mains hum was found."),
        N_(
            "The signal was limited to {low:g} to {high:g} Hz, at {rate} samples a second.",
            low=low,
            high=high,
            rate=SFREQ,
        ),
    ]
    told += [_describe_channels(quality.channels), *_describe_artefacts(quality.components_removed)]
    return [
        *told,
        N_("{usable} of {total} seconds are usable.", usable=quality.clean_seconds, total=quality.clean.size),
    ]


def _describe_channels(channels: Sequence[ChannelQuality]) -> str:
    words = {"flat": N_("no signal"), "railed": N_("clipped"), "noisy": N_("noisy")}
    faults_of = {c.name: [said for fault, said in words.items() if getattr(c, fault)] for c in channels}
    bad = tuple(N_(messages.ELECTRODE_FAULT, name=name, fault=of[0]) for name, of in faults_of.items() if of)
    if not bad:
        return N_("All {count} electrodes gave a usable signal.", count=len(channels))
    estimated = any(c.interpolated for c in channels)
    fate = (
        ELECTRODES_ESTIMATED
        if estimated
        else N_("{bad} of {total} electrodes gave no usable signal and were left out: {which}.")
    )
    return N_(fate, bad=len(bad), total=len(channels), which=bad)


def _describe_artefacts(removed: dict[str, int]) -> list[str]:
    if not removed:
        return [N_(TOO_FEW_TO_SEPARATE, count=bad_channels.FEW_CHANNELS)]
    found = {ARTEFACTS[kind]: count for kind, count in removed.items() if count}
    counts = [N_("{count} of {kind}", count=count, kind=kind) for kind, count in found.items()]
    components = reduce(_join_with_and, counts) if counts else N_("nothing")
    told: list[str] = [
        N_("Independent component analysis took out: {components}.", components=components),
        N_("Voltages are against the average of all electrodes."),
    ]
    if "ocular" not in removed:
        told.append(N_("No electrode is near the eyes, so blinks could not be looked for."))
    return told


def _join_with_and(some: Message, more: Message) -> Message:
    return N_("{some} and {more}", some=some, more=more)
