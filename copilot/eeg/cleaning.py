"""Clean a ``Recording`` and say how far to trust it (see ``clean``)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt

from copilot.eeg import artefacts, faults
from copilot.eeg.caps import STANDARD
from copilot.eeg.recording import Recording, RecordingError
from copilot.language import Sentence, english, sentence

SFREQ = 250
"""Samples a second of every cleaned recording, Hz."""
BAND_HZ = (0.5, 47.0)
ROLL_OFF_HZ = 3.0
"""Steep enough that nothing is left at 50 Hz."""
MIN_CLEAN_SECONDS = 10
LEARNT_UV = 500.0
"""Artefacts are learnt from seconds below this: blinks are, a pulled cable is not."""
LOUD_UV = (75.0, 200.0)
"""Loud is six times a channel's usual amplitude, but never less than the first nor more than the second."""
FEW_SHARE = 0.05
"""A second may be lost on this share of the channels and still be used."""

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
    et al. 1989), loud seconds marked. With fewer than 8 good channels the last of these is all that can be done about
    artefacts: the recording keeps its reference, and bad channels are dropped. Same recording, same result.

    Args:
        recording: as read; every channel has a place in the 10-05 system.
        progress: called with the share done (0 to 1) and a few words on what comes next.

    Raises:
        RecordingError: fewer than 10 usable seconds, or half of the channels are bad.
    """
    from mne import use_log_level

    report = progress or (lambda share, words: None)
    _require_seconds(int(recording.seconds))
    # A gap becomes flat, and flat is found.
    recording = replace(recording, data=np.nan_to_num(recording.data, posinf=0.0, neginf=0.0))
    with use_log_level("ERROR"):  # MNE's warnings are about choices made here on purpose (short filters, few points)
        report(0.0, english.CLEANING_MAINS)
        line_hz, line_ratio = faults.find_line(recording.data, recording.sfreq)
        report(0.1, english.CLEANING_FILTER)
        data = _filter(recording, line_hz)
        report(0.3, english.CLEANING_ELECTRODES)
        found = faults.find_bad_channels(recording.data, recording.sfreq, data, SFREQ)
        bad = _named(recording.channels, found.bad)
        _require_channels(bad, len(recording.channels))
        report(0.4, english.CLEANING_ARTEFACTS)
        cleaned, removed = _without_artefacts(data, recording.channels, found)
    report(0.95, english.CLEANING_LOUD)
    usable = _usable(cleaned.data, found)
    _require_seconds(int(usable.sum()))
    report(1.0, english.CLEANING_DONE)
    quality = _report(recording, cleaned, found, line_hz, line_ratio, usable, removed)
    cleaned = replace(cleaned, rate_read=recording.rate_read, rate_from=recording.rate_from)
    return replace(cleaned, source=recording.source, notes=recording.notes + quality.sentences), quality


def _require_seconds(seconds: int) -> None:
    if seconds < MIN_CLEAN_SECONDS:
        raise RecordingError(sentence(english.TOO_FEW_SECONDS, seconds=seconds, least=MIN_CLEAN_SECONDS))


def _require_channels(bad: Sequence[str], total: int) -> None:
    if 2 * len(bad) >= total:
        raise RecordingError(sentence(english.TOO_MANY_BAD, bad=len(bad), total=total, names=tuple(bad)))


def _filter(recording: Recording, line_hz: float | None) -> npt.NDArray[np.float32]:
    """Mains hum out, 0.5 to 47 Hz, 250 Hz, whole seconds: float32, (channels, samples)."""
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


def _without_artefacts(
    data: npt.NDArray[np.float32], channels: Sequence[str], found: faults.Faults
) -> tuple[Recording, dict[str, int]]:
    """Average reference, eyes and muscles out, bad channels made from their neighbours. Nothing if there are few."""
    from mne import create_info
    from mne.io import RawArray

    if (~found.bad).sum() < faults.FEW_CHANNELS:
        return Recording(data[~found.bad], float(SFREQ), _named(channels, ~found.bad), ""), {}
    raw = RawArray(data * 1e-6, create_info(list(channels), SFREQ, "eeg"))
    raw.set_montage(STANDARD)
    raw.info["bads"] = list(_named(channels, found.bad))
    raw.set_eeg_reference("average")
    calm = _calm(data[~found.bad], LEARNT_UV) & _kept(found)
    _require_seconds(int(calm.sum()))
    removed = artefacts.remove(raw, calm)
    raw.interpolate_bads()
    raw.set_eeg_reference("average")
    return Recording((raw.get_data() * 1e6).astype(np.float32), float(SFREQ), tuple(channels), ""), removed


def _usable(data: npt.NDArray[np.float32], found: faults.Faults) -> npt.NDArray[np.bool_]:
    """Seconds of a cleaned signal in which few channels are loud, flat or clipped; shape (seconds,)."""
    usual = _amplitude(data)[:, None]
    return _calm(data, np.clip(6 * usual, *LOUD_UV)) & _kept(found)


def _calm(data: npt.NDArray[np.float32], limit: float | npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Seconds in which few channels go beyond ``limit`` microvolts (one, or one a channel)."""
    peaks = np.abs(faults.seconds_of(data, SFREQ)).max(axis=2)
    calm: npt.NDArray[np.bool_] = (peaks > limit).mean(axis=0) <= FEW_SHARE
    return calm


def _kept(found: faults.Faults) -> npt.NDArray[np.bool_]:
    """Seconds in which few of the good channels are flat or clipped."""
    kept: npt.NDArray[np.bool_] = found.lost[~found.bad].mean(axis=0) <= FEW_SHARE
    return kept


def _amplitude(data: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
    """Robust amplitude of each channel: 1.4826 x median absolute deviation, microvolts."""
    amplitude: npt.NDArray[np.floating] = np.median(np.abs(data - np.median(data, axis=1, keepdims=True)), axis=1)
    return 1.4826 * amplitude


def _named(channels: Sequence[str], chosen: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, wanted in zip(channels, chosen, strict=True) if wanted)


def _report(
    recording: Recording,
    cleaned: Recording,
    found: faults.Faults,
    line_hz: float | None,
    line_ratio: float,
    usable: npt.NDArray[np.bool_],
    removed: dict[str, int],
) -> Quality:
    amplitudes = dict(zip(cleaned.channels, _amplitude(cleaned.data), strict=True))
    channels = tuple(
        ChannelQuality(
            name,
            flat=bool(found.flat[i]),
            railed=bool(found.railed[i]),
            noisy=bool(found.noisy[i]),
            interpolated=bool(found.bad[i]) and name in amplitudes,
            amplitude_uv=float(amplitudes.get(name, 0.0)),
        )
        for i, name in enumerate(recording.channels)
    )
    quality = Quality(channels, line_hz, line_ratio, usable, removed, "", ())
    trust = _trust(quality, recording.sfreq)
    told = (*_told(quality, recording.sfreq), sentence(english.TRUST_MEANS[trust]))
    return replace(quality, trust=trust, sentences=told)


def _trust(quality: Quality, sfreq: float) -> str:
    """How far to trust the result.

    ``poor`` if more than 30 % of the electrodes were bad, less than half of the seconds are usable, or the recording
    was sampled too slowly to hold the band up to 47 Hz. ``good`` if at most 10 % were bad, at least 80 % of the
    seconds are usable and eye artefacts could be looked for. ``fair`` between.
    """
    bad = np.mean([c.flat or c.railed or c.noisy for c in quality.channels])
    if bad > 0.3 or quality.clean_share < 0.5 or sfreq < 2 * BAND_HZ[1]:
        return "poor"
    good = bad <= 0.1 and quality.clean_share >= 0.8 and "ocular" in quality.components_removed
    return "good" if good else "fair"


def _told(quality: Quality, sfreq: float) -> list[str]:
    """What was done, in plain words."""
    low, high = BAND_HZ
    told: list[str] = [
        sentence(english.MAINS_REMOVED, hertz=quality.line_hz) if quality.line_hz else sentence(english.MAINS_ABSENT),
        sentence(english.BAND_LIMITED, low=low, high=high, rate=SFREQ),
    ]
    if sfreq < 2 * high:
        told.append(sentence(english.SAMPLED_SLOWLY, rate=sfreq, half=sfreq / 2))
    told += [_about_channels(quality.channels), *_about_artefacts(quality.components_removed)]
    return [*told, sentence(english.SECONDS_USABLE, usable=quality.clean_seconds, total=quality.clean.size)]


def _about_channels(channels: Sequence[ChannelQuality]) -> str:
    words = {"flat": english.FAULT_FLAT, "railed": english.FAULT_RAILED, "noisy": english.FAULT_NOISY}
    faults_of = {c.name: [said for fault, said in words.items() if getattr(c, fault)] for c in channels}
    bad = tuple(sentence(english.ELECTRODE_FAULT, name=name, fault=of[0]) for name, of in faults_of.items() if of)
    if not bad:
        return sentence(english.ELECTRODES_GOOD, count=len(channels))
    estimated = any(c.interpolated for c in channels)
    fate = english.ELECTRODES_ESTIMATED if estimated else english.ELECTRODES_LEFT_OUT
    return sentence(fate, bad=len(bad), total=len(channels), which=bad)


def _about_artefacts(removed: dict[str, int]) -> list[str]:
    if not removed:
        return [sentence(english.TOO_FEW_TO_SEPARATE, count=faults.FEW_CHANNELS)]
    found = {english.ARTEFACTS[kind]: count for kind, count in removed.items() if count}
    counts = [sentence(english.COMPONENTS_OF, count=count, kind=kind) for kind, count in found.items()]
    components = reduce(_and, counts) if counts else english.NO_COMPONENTS
    told: list[str] = [
        sentence(english.COMPONENTS_REMOVED, components=components),
        sentence(english.AVERAGE_REFERENCE),
    ]
    if "ocular" not in removed:
        told.append(sentence(english.NO_EYE_ELECTRODES))
    return told


def _and(some: Sentence, more: Sentence) -> Sentence:
    return sentence(english.AND, some=some, more=more)
