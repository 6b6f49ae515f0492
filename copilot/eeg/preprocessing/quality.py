"""Judge a cleaned recording: how far to trust it, and whether it is EEG at all (see ``judge_quality``).

Noise of an amplifier, a generator or a damaged export can look like EEG. Each function measures one property, and its
constant is the limit for EEG, measured on recordings of 7 people with 19 and 64 electrodes. All functions take signals
of shape (channels, samples) in microvolts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt

from copilot.eeg.preprocessing import bad_channels
from copilot.eeg.preprocessing.bad_channels import FEW_CHANNELS, Bools, Floats, SignalFaults, take_seconds
from copilot.eeg.types import Recording, RecordingError
from copilot.i18n import N_, messages

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
ELECTRODES_LEFT_OUT = N_("{bad} of {total} electrodes gave no usable signal and were left out: {which}.")
TOO_FEW_TO_SEPARATE = N_(
    "With fewer than {count} good electrodes, eyes and muscles cannot be told apart from brain: seconds with large "
    "deflections are left out instead, and the recording keeps its own reference."
)
ARTEFACTS = {"ocular": messages.EYE_MOVEMENT, "muscle": N_("muscle tension")}

SFREQ = 250
"""Samples per second of every cleaned recording, Hz."""
BAND_HZ = (0.5, 47.0)
"""What cleaning leaves."""
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
NEIGHBOUR_R = 0.12
"""Median correlation of an electrode with what the others predict for it: EEG 0.3 to 0.97, of only 8 electrodes from
0.18; mixed-up names below 0.1."""
SHIFTED_R = 0.1
"""How much better a head fits with every name moved by one, where names and signals have slipped."""
ONE_SOURCE = 0.95
"""Share of the variance in the first principal component, average reference: EEG 0.2 to 0.65."""
LINE_RATIO = 10.0
"""Power in a quarter of a hertz over that of its neighbours at 0.5 to 1 Hz: alpha rhythms reach 5."""
LINE_HZ = (2.0, 49.5)
LINE_SHARE = 0.1
"""Amplitude of the line over that of the signal in which it was found."""
MIN_FALL = 2.0
"""Density at 1 to 4 Hz over that at 30 to 45 Hz: noise has 1, EEG under tense muscles still 3 and more."""
FEW_APART_R = 0.25
"""Of few electrodes, the two most alike correlate more than this in the median second (2-30 Hz): EEG from 0.42."""
FEW_SAME_R = 0.9
"""Of few electrodes, the two least alike correlate less than this: EEG up to 0.8."""
COARSE = 0.5
"""Largest step between two values, as a share of the amplitude, that leaves the fast bands unchanged."""
EQUAL = 0.002
"""Channels whose standard deviations differ by less than this share were normalised."""
JOINED_R = 0.99
"""Of few electrodes, two that correlate more than this in the median second are connected: EEG up to 0.96."""
BANDS = {
    "delta": ((1.0, 2.5), 0.005),
    "theta": ((4.5, 7.5), 0.01),
    "alpha": ((8.5, 12.0), 0.01),
    "beta": ((16.0, 28.0), 0.02),
    "gamma": ((34.0, 45.0), 0.01),
}
"""Middle of each band, Hz, and the least density there, times f to the power of 1.5, as a share of the largest."""
ALIKE = 0.95
"""Correlation of steps; two recordings of one person do not come near it, and a copy in 16 bits stays above it."""
_HZ, _SECONDS = 25.0, 120.0


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
            "channels": [asdict(c) | {"amplitude_uv": round(c.amplitude_uv, 1)} for c in self.channels],
            "sentences": list(self.sentences),
        }


def judge_quality(
    recording: Recording,
    filtered: npt.NDArray[np.float32],
    cleaned: Recording,
    faults: SignalFaults,
    *,
    usable: Bools,
    empty: Bools,
    line: tuple[float | None, float],
    removed: dict[str, int],
    components: int,
) -> Quality:
    """Judge the usable seconds of a recording as a whole, and report what cleaning found and did.

    Args:
        recording: as read.
        filtered: filtered signal, shape (channels, samples), microvolts.
        cleaned: after cleaning.
        faults: of the channels.
        usable: usable seconds, bool, shape (seconds,).
        empty: seconds without a signal, bool, shape (seconds,).
        line: mains frequency found, or None, and the power there over that of its neighbourhood.
        removed: components removed, by kind.
        components: how many components there were.

    Raises:
        RecordingError: it cannot be EEG.
    """
    good, names = ~faults.bad, select_names(recording.channels, ~faults.bad)
    own = take_seconds(filtered[good], usable, SFREQ).astype(np.float64)
    after = take_seconds(cleaned.data[[cleaned.channels.index(name) for name in names]], usable, SFREQ)
    amplitude = float(np.median(measure_amplitude(after)))
    doubts: list[str] = []  # why this may be no EEG, or none to rely on
    remarks: list[str] = []

    # The electrodes: as alike as on a head, and enough left of them by cleaning.
    joined = np.zeros(len(recording.channels), dtype=bool)
    before = own
    if len(names) >= FEW_CHANNELS:
        before = own - own.mean(axis=0)
        joined[good] = _judge_many_channels(before, names, doubts)
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
                names=select_names(recording.channels, joined),
            )
        )

    has_line = _judge_spectrum(own, before, doubts, remarks)
    _judge_values(recording.data, amplitude, doubts)

    # The seconds: without a signal inside the recording and not at its start or end only, or repeated.
    others = np.flatnonzero(~empty)
    is_interrupted = bool(others.size) and bool(empty[others[0] : others[-1]].any())
    if empty.any():
        told = doubts if is_interrupted and empty.mean() > GAPS_SHARE else remarks
        told.append(
            N_(
                "{count} seconds hold no signal, because it was bridged, held or fades away; they are not used.",
                count=int(empty.sum()),
            )
        )
    if faults.repeated.any():
        remarks.append(
            N_(
                "{count} seconds repeat earlier ones sample by sample; they are not used.",
                count=int(faults.repeated.sum()),
            )
        )

    amplitudes = dict(zip(cleaned.channels, measure_amplitude(take_seconds(cleaned.data, usable, SFREQ)), strict=True))
    channels = tuple(
        ChannelQuality(
            name,
            flat=bool(faults.flat[i]),
            railed=bool(faults.railed[i]),
            noisy=bool(faults.noisy[i]),
            interpolated=bool(faults.bad[i]) and name in amplitudes,
            joined=bool(joined[i]),
            amplitude_uv=float(amplitudes.get(name, 0.0)),
        )
        for i, name in enumerate(recording.channels)
    )
    quality = Quality(channels, *line, usable, removed, "", ())
    trust = "poor" if doubts else rate_trust(quality)
    if trust == "good" and (has_line or is_interrupted):
        trust = "fair"
    told = [*_describe_cleaning(quality), *remarks, *doubts, N_(TRUST_MEANS[trust])]
    return replace(quality, trust=trust, sentences=tuple(told))


def rate_trust(quality: Quality) -> str:
    """Rate how far to trust the result, by its electrodes and seconds.

    ``poor`` if more than 20 % of the electrodes were bad or less than half of the seconds are usable. ``good`` if at
    most 10 % were bad, at least 80 % of the seconds are usable and eye artefacts could be looked for. ``fair`` between.
    """
    bad = np.mean([c.flat or c.railed or c.noisy or c.joined for c in quality.channels])
    if bad > BAD_SHARE[1] or quality.clean_share < 0.5:
        return "poor"
    good = bad <= BAD_SHARE[0] and quality.clean_share >= 0.8 and "ocular" in quality.components_removed
    return "good" if good else "fair"


def _judge_many_channels(before: Floats, channels: Sequence[str], doubts: list[str]) -> Bools:
    """Judge many channels by their places, and append to ``doubts``.

    Args:
        before: usable seconds before artefacts were removed, average reference, shape (channels, samples), microvolts.
        channels: their names.
        doubts: is appended to.

    Returns:
        Which channels are joined, bool, shape (channels,).
    """
    covariance, directions = np.cov(before), bad_channels.find_directions(channels)
    variances = np.linalg.eigvalsh(covariance)
    if variances[-1] / max(variances.sum(), 1e-30) > ONE_SOURCE:
        raise RecordingError(messages.ALL_THE_SAME)
    as_named, next_name, previous_name = (
        float(np.median(bad_channels.correlate_with_prediction(covariance, np.roll(directions, by, axis=0))))
        for by in (0, 1, -1)
    )
    if as_named < NEIGHBOUR_R:
        doubts.append(NAMES_MIXED)
    elif max(next_name, previous_name) > as_named + SHIFTED_R:
        doubts.append(NAMES_SHIFTED)
    slow = np.cov(bad_channels.extract_slow_band(before, SFREQ))
    return np.asarray(bad_channels.find_equal_electrodes(slow, directions)[1].any(axis=1))


def _judge_few_channels(own: Floats, doubts: list[str]) -> Bools:
    """Judge few channels by how similar they are, and append to ``doubts``.

    ``own`` is the signal of the usable seconds, shape (channels, samples), microvolts. Returns which channels are
    joined, bool, shape (channels,).
    """
    windows = bad_channels.cut_seconds(bad_channels.filter_band(own, SFREQ, (2.0, 30.0)), SFREQ)
    likeness = np.median(bad_channels.correlate_channels(windows), axis=0)
    between = likeness[np.triu_indices(len(own), 1)]
    if between.min(initial=1.0) > FEW_SAME_R:
        doubts.append(N_("All electrodes hold nearly the same signal: check how they are connected."))
    elif between.max(initial=0.0) < FEW_APART_R:
        doubts.append(N_("The electrodes have nothing in common, unlike any on one head: this is likely no EEG."))
    return np.asarray((likeness > JOINED_R).any(axis=1))


def _judge_spectrum(own: Floats, before: Floats, doubts: list[str], remarks: list[str]) -> bool:
    """Judge the spectrum of the usable seconds, and append to ``doubts`` and ``remarks``.

    Args:
        own: as recorded, shape (channels, samples), microvolts.
        before: against the average of all channels; ``own`` itself where these are few.
        doubts: is appended to.
        remarks: is appended to.

    Returns:
        Whether all electrodes share interference that the average reference took out.
    """
    hz, power = compute_density(before, SFREQ)
    own_power = power if before is own else compute_density(own, SFREQ)[1]
    line, own_line = find_narrow_line(hz, power), find_narrow_line(hz, own_power)
    if line is not None:
        doubts.append(N_("Interference at {hertz:g} Hz was found and is still in the signal.", hertz=line))
    elif own_line is not None:
        remarks.append(N_(INTERFERENCE_SHARED, hertz=own_line))
    if empty := find_empty_bands(hz, power):
        doubts.append(N_(EMPTY_BANDS, bands=tuple(messages.BANDS[name] for name in empty)))
    # Without what all electrodes share, and with it: EEG falls either way.
    apart = compute_density(own - own.mean(axis=0), SFREQ)[1] if before is own else power
    if min(measure_fall(hz, apart), measure_fall(hz, own_power)) < MIN_FALL:
        doubts.append(N_("Fast frequencies are as strong as slow ones, as in noise or muscle tension and not in EEG."))
    return line is None and own_line is not None


def _judge_values(data: Floats, amplitude: float, doubts: list[str]) -> None:
    """Judge the steps and the size of values, and append to ``doubts``.

    Args:
        data: as read, shape (channels, samples), microvolts.
        amplitude: usual one after cleaning, microvolts.
        doubts: is appended to.
    """
    step = measure_step(data)
    if step > COARSE * amplitude:
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


def compute_density(data: Floats, sfreq: float) -> tuple[Floats, Floats]:
    """Compute the power density of each channel (Welch, windows of 4 s).

    Returns:
        Frequencies, Hz, shape (frequencies,), and density, shape (channels, frequencies), microvolt squared per Hz.
    """
    from scipy.signal import welch

    hz, power = welch(data, sfreq, nperseg=min(round(4 * sfreq), data.shape[1]), noverlap=0, axis=1)
    return hz, power


def find_narrow_line(hz: Floats, power: Floats) -> float | None:
    """Return the frequency of the strongest narrow line, Hz, or None.

    Args:
        hz: frequencies, shape (frequencies,), Hz; power: density, shape (channels, frequencies).
    """
    width = hz[1]
    total = power[:, (hz >= 1) & (hz <= LINE_HZ[1])].sum(axis=1)
    best: tuple[float, float, float] = (0.0, 0.0, 0.0)
    for place in np.flatnonzero((hz >= LINE_HZ[0]) & (hz <= LINE_HZ[1])):
        away = np.abs(hz - hz[place])
        beside = np.median(power[:, (away >= 0.5) & (away <= 1.0)], axis=1)
        ratio = float(np.median(power[:, place] / np.maximum(beside, 1e-30)))
        if ratio > best[0]:
            own = power[:, away <= 1.5 * width].sum(axis=1)
            best = ratio, float(hz[place]), float(np.sqrt(np.median(own / np.maximum(total, 1e-30))))
    ratio, line, share = best
    return line if ratio >= LINE_RATIO and share >= LINE_SHARE else None


def find_empty_bands(hz: Floats, power: Floats) -> tuple[str, ...]:
    """Return the bands with next to no power, as after a filter: of the median channel, against the fullest band.

    ``hz``, shape (frequencies,), and ``power``, shape (channels, frequencies), are as from ``compute_density``.
    """
    spectrum = np.median(power, axis=0)
    levels = {
        name: float(np.median((spectrum * hz**1.5)[(hz >= low) & (hz <= high)]))
        for name, ((low, high), _) in BANDS.items()
    }
    fullest = max(levels.values())
    return tuple(name for name, level in levels.items() if level < BANDS[name][1] * fullest)


def measure_fall(hz: Floats, power: Floats) -> float:
    """Return how much stronger slow frequencies (1-4 Hz) are than fast ones (30-45 Hz), in the median channel.

    ``hz``, shape (frequencies,), and ``power``, shape (channels, frequencies), are as from ``compute_density``.
    """
    spectrum = np.median(power, axis=0)
    slow, fast = (spectrum[(hz >= low) & (hz <= high)].mean() for low, high in ((1, 4), (30, 45)))
    return float(slow / max(fast, 1e-30))


def measure_step(data: Floats, samples: int = 5000) -> float:
    """Return the step between neighbouring values of a signal as read, microvolts, in the median channel; 0 if fine.

    ``data`` has shape (channels, samples), microvolts; ``samples`` of each channel are looked at.
    """
    places = np.linspace(0, data.shape[1] - 1, min(samples, data.shape[1])).astype(int)
    steps = []
    for row in data[:, places].astype(np.float64):
        low, high = np.percentile(row, (10, 90))
        inside = row[(row >= low) & (row <= high)]
        values = np.unique(np.round(inside / max(3e-7 * np.abs(row).max(), 1e-9)))
        steps.append((high - low) / (len(values) - 1) if 1 < len(values) < len(inside) / 4 else 0.0)
    return float(np.median(steps))


def is_normalised(data: Floats) -> bool:
    """Return whether every channel was scaled to one standard deviation, or to one least and largest value.

    ``data`` has shape (channels, samples).
    """
    low, high = data.min(axis=1), data.max(axis=1)
    live = low < high
    if live.sum() < 4:
        return False
    low, high = low[live], high[live]
    means, variances = data[live].mean(axis=1, dtype=np.float64), data[live].var(axis=1, dtype=np.float64)
    deviations = np.sqrt(variances)
    same_size = np.ptp(deviations) < EQUAL * deviations.mean()
    same_range = max(np.ptp(low), np.ptp(high)) < EQUAL * float((high - low).mean())
    overall = abs(variances.mean() + means.var() - 1) < EQUAL and abs(means.mean()) < EQUAL
    if not (same_size or same_range or overall):
        return False
    copies = np.corrcoef(data[live][:, :: max(1, data.shape[1] // 5000)])
    return bool(np.abs(copies).min() < 0.99)


def measure_amplitude(data: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Measure the robust amplitude of each channel: 1.4826 x median absolute deviation, microvolts.

    ``data`` has shape (channels, samples), the result (channels,).
    """
    amplitude: npt.NDArray[np.floating] = np.median(np.abs(data - np.median(data, axis=1, keepdims=True)), axis=1)
    return 1.4826 * amplitude


def select_names(channels: Sequence[str], chosen: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the names of the chosen channels; ``chosen`` is bool, shape (channels,)."""
    return tuple(name for name, wanted in zip(channels, chosen, strict=True) if wanted)


def is_same_signal(one: Recording, two: Recording) -> bool:
    """Return whether both run alike from their start, whatever their length, rate, unit, sign and common reference."""
    shared = [name for name in one.channels if name in two.channels]
    if not shared:
        return False
    times = np.arange(0, min(one.seconds, two.seconds, _SECONDS), 1 / _HZ)
    first, second = (_compute_steps(recording, shared, times) for recording in (one, two))
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    live = size > 0
    return bool(live.any() and np.median(np.abs((first * second).sum(axis=1)[live] / size[live])) > ALIKE)


def _compute_steps(recording: Recording, names: list[str], times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute the steps between means over spans of time, without what all channels share; shape (names, steps).

    They are alike at every sampling rate. ``times`` are the bounds of the spans, shape (bounds,), seconds.
    """
    stamps = np.arange(1, recording.data.shape[1] + 1) / recording.sfreq
    sums = [np.cumsum(recording.data[recording.channels.index(name)], dtype=np.float64) for name in names]
    means = np.diff([np.interp(times, stamps, total) for total in sums], axis=1)
    steps = np.diff(means / recording.sfreq, axis=1)
    return np.asarray(steps - steps.mean(axis=0) if len(names) > 2 else steps, dtype=np.float64)


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

    words = {"flat": N_("no signal"), "railed": N_("clipped"), "noisy": N_("noisy")}
    faults_of = {c.name: [said for fault, said in words.items() if getattr(c, fault)] for c in quality.channels}
    bad = tuple(N_(messages.ELECTRODE_FAULT, name=name, fault=of[0]) for name, of in faults_of.items() if of)
    fate: str = N_("All {count} electrodes gave a usable signal.", count=len(quality.channels))
    if bad:
        estimated = any(c.interpolated for c in quality.channels)
        said = ELECTRODES_ESTIMATED if estimated else ELECTRODES_LEFT_OUT
        fate = N_(said, bad=len(bad), total=len(quality.channels), which=bad)
    told.append(fate)

    removed = quality.components_removed
    if removed:
        found = {ARTEFACTS[kind]: count for kind, count in removed.items() if count}
        counts = [N_("{count} of {kind}", count=count, kind=kind) for kind, count in found.items()] or [N_("nothing")]
        components = reduce(lambda some, more: N_("{some} and {more}", some=some, more=more), counts)
        told.append(N_("Independent component analysis took out: {components}.", components=components))
        told.append(N_("Voltages are against the average of all electrodes."))
        if "ocular" not in removed:
            told.append(N_("No electrode is near the eyes, so blinks could not be looked for."))
    else:
        told.append(N_(TOO_FEW_TO_SEPARATE, count=FEW_CHANNELS))
    told.append(N_("{usable} of {total} seconds are usable.", usable=quality.clean_seconds, total=quality.clean.size))
    return told
