"""Simulate EEG with a known answer: the demo's three examples, and recordings to test against.

These signals come from no person. Every part has its own random stream, so the same seed without blinks, line noise
or bad channels is the true signal that cleaning should recover.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copilot.eeg.electrodes import STANDARD
from copilot.eeg.types import Recording
from copilot.i18n import N_

EYES_CLOSED_ABOUT = N_(
    "Simulated: a relaxed person with closed eyes, strong 10 Hz alpha at the back of the head, good contact."
)
EYES_OPEN_ABOUT = N_(
    "Simulated: an alert person with open eyes who blinks, little alpha and more fast activity at the front."
)
POOR_CONTACT_ABOUT = N_(
    "Simulated: four electrodes with bad contact, mains hum and many blinks, to see what the quality report says."
)


Floats = npt.NDArray[np.float64]

TEN_TWENTY = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz"),
    *("C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1", "O2"),
)
"""The 19 electrodes of the international 10-20 system."""


@dataclass(frozen=True)
class SimulatedExample:
    """A recording for the demo: its title, one sentence about it, and the options of ``simulate``."""

    title: str
    description: str
    options: Mapping[str, object]


EXAMPLES = {
    "eyes-closed": SimulatedExample(
        N_("Eyes closed (simulated)"),
        EYES_CLOSED_ABOUT,
        {"seconds": 90, "alpha_uv": 14, "blinks_per_minute": 1, "line_uv": 2, "seed": 1},
    ),
    "busy": SimulatedExample(
        N_("Eyes open, busy (simulated)"),
        EYES_OPEN_ABOUT,
        {"seconds": 90, "alpha_uv": 2, "beta_uv": 5, "muscle_uv": 4, "line_uv": 4, "seed": 2},
    ),
    "poor-contact": SimulatedExample(
        N_("Poor contact (simulated)"),
        POOR_CONTACT_ABOUT,
        {
            **{"seconds": 90, "alpha_uv": 6, "blinks_per_minute": 25, "line_uv": 30, "muscle_uv": 10, "seed": 3},
            "bad_channels": {"T7": "noisy", "P4": "flat", "F8": "railed", "Fz": "noisy"},
        },
    ),
}


def simulate(
    seconds: float = 60,
    sfreq: float = 250,
    channels: Sequence[str] = TEN_TWENTY,
    *,
    alpha_uv: float = 8,
    alpha_hz: float = 10,
    beta_uv: float = 0,
    blinks_per_minute: float = 12,
    line_uv: float = 3,
    line_hz: float = 50,
    muscle_uv: float = 0,
    bad_channels: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Recording:
    """Simulate a recording: 1/f background, rhythms and artefacts, smooth over the scalp.

    Args:
        seconds: length.
        sfreq: samples per second, Hz.
        channels: names in the 10-05 system.
        alpha_uv: RMS of the alpha rhythm at the electrode nearest Oz, microvolts; it waxes and wanes.
        alpha_hz: its frequency.
        beta_uv: RMS of 15 to 40 Hz activity at the electrode nearest Fz.
        blinks_per_minute: about 120 microvolts each at Fp1 and Fp2.
        line_uv: amplitude of line noise, about the same everywhere.
        line_hz: its frequency.
        muscle_uv: RMS of bursts of muscle tension at the temples.
        bad_channels: name -> ``flat``, ``noisy`` or ``railed``.
        seed: same seed, same bytes.

    Returns:
        A recording whose source is ``simulated``.
    """
    samples, positions = round(seconds * sfreq), _find_positions(channels)
    streams = [np.random.default_rng([seed, part]) for part in range(7)]
    data = _make_background(streams[0], positions, samples, sfreq)
    for stream, place, width, rms, (centre, spread) in (
        (streams[1], "Oz", 0.06, alpha_uv, (alpha_hz, 0.6)),
        (streams[2], "Fz", 0.06, beta_uv, (27, 8)),
    ):
        data += rms * np.outer(
            _compute_topography(positions, place, width), _make_rhythm(stream, samples, sfreq, centre, spread)
        )
    data += (
        _make_blinks(streams[3], samples, sfreq, blinks_per_minute)
        * _compute_topography(positions, "Fpz", 0.05)[:, None]
    )
    data += _make_line_noise(streams[4], len(channels), samples, sfreq, line_hz) * line_uv
    for place in ("FT7", "FT8"):
        data += muscle_uv * np.outer(
            _compute_topography(positions, place, 0.03), _make_muscle_activity(streams[5], samples, sfreq)
        )
    for name, kind in (bad_channels or {}).items():
        row = list(channels).index(name)
        data[row] = _spoil_channel(streams[6], data[row], sfreq, kind)
    recording = Recording(data.astype(np.float32), float(sfreq), tuple(channels), N_("simulated"))
    return recording.with_notes(N_("This EEG is simulated."))


def simulate_example(name: str) -> Recording:
    """Simulate the recording of ``EXAMPLES[name]``."""
    return simulate(**EXAMPLES[name].options)  # type: ignore[arg-type]


def write_example(name: str, folder: Path) -> Path:
    """Write an example as ``<name>-simulated.npz``, so that it is read like an upload.

    The archive contains ``data`` (channels, samples), ``sfreq``, ``channels`` and ``units``; no pickles.
    """
    recording, path = simulate_example(name), Path(folder) / f"{name}-simulated.npz"
    np.savez(
        path, data=recording.data, sfreq=recording.sfreq, channels=np.array(recording.channels), units=np.array("uV")
    )
    return path


def _find_positions(channels: Sequence[str]) -> Floats:
    """Return positions on a head of 9.5 cm radius, shape (channels, 3), metres."""
    from mne.channels import make_standard_montage

    places = make_standard_montage(STANDARD).get_positions()["ch_pos"]
    return np.array([places[name] for name in channels])


def _compute_topography(positions: Floats, place: str, width: float) -> Floats:
    """Compute how strongly a source under ``place`` is seen at each electrode, 1 at the nearest; shape (channels,).

    Args:
        positions: of the electrodes, shape (channels, 3), metres.
        place: name of the electrode above the source.
        width: of the source, metres.
    """
    distance = np.linalg.norm(positions - _find_positions([place]), axis=1)
    weights: Floats = np.exp(-0.5 * (distance**2 - distance.min() ** 2) / width**2)
    return weights


def _make_background(stream: np.random.Generator, positions: Floats, samples: int, sfreq: float) -> Floats:
    """Make resting activity: power like that of FACED's band means, correlated between neighbours, plus sensor noise.

    Returns:
        Shape (channels, samples), microvolts.
    """
    hz = np.maximum(np.fft.rfftfreq(samples, 1 / sfreq), 0.5)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    smooth = np.linalg.cholesky(np.exp(-0.5 * (distance / 0.08) ** 2) + 1e-6 * np.eye(len(positions)))
    white = stream.standard_normal((len(positions), samples))
    coloured: Floats = np.fft.irfft(np.fft.rfft(white) * np.sqrt(13.4 / hz**1.35 + 0.05) * np.sqrt(sfreq / 2), samples)
    noise: Floats = stream.standard_normal(white.shape) * np.sqrt(0.01 * sfreq / 2)
    smooth_over_scalp: Floats = smooth @ coloured
    return smooth_over_scalp + noise


def _make_rhythm(stream: np.random.Generator, samples: int, sfreq: float, centre: float, spread: float) -> Floats:
    """Make noise with a Gaussian spectrum, RMS 1, shape (samples,): a rhythm that waxes and wanes."""
    hz = np.fft.rfftfreq(samples, 1 / sfreq)
    spectrum = np.fft.rfft(stream.standard_normal(samples)) * np.exp(-0.5 * ((hz - centre) / spread) ** 2)
    wave = np.fft.irfft(spectrum, samples)
    unit: Floats = wave / wave.std()
    return unit


def _make_blinks(stream: np.random.Generator, samples: int, sfreq: float, per_minute: float) -> Floats:
    """Make blinks of about 0.3 s at irregular times, shape (samples,), microvolts under the forehead."""
    time = np.arange(samples) / sfreq
    count = round(per_minute * samples / sfreq / 60)
    starts = (np.arange(count) + stream.uniform(0.2, 0.8, count)) * samples / sfreq / max(count, 1)
    heights = stream.uniform(90, 150, count)
    blinks = np.zeros(samples)
    for start, height in zip(starts, heights, strict=True):
        blinks += height * np.exp(-0.5 * ((time - start) / 0.08) ** 2)
    return blinks


def _make_line_noise(stream: np.random.Generator, channels: int, samples: int, sfreq: float, line_hz: float) -> Floats:
    """Make line noise of amplitude about 1 on every channel, shape (channels, samples)."""
    wave = np.sin(2 * np.pi * line_hz * np.arange(samples) / sfreq + stream.uniform(0, 2 * np.pi))
    return np.outer(stream.uniform(0.7, 1.3, channels), wave)


def _make_muscle_activity(stream: np.random.Generator, samples: int, sfreq: float) -> Floats:
    """Make muscle activity (20 to 100 Hz, RMS 1 while tense), tense about a third of the time; shape (samples,)."""
    tense = _make_rhythm(stream, samples, sfreq, 0, 0.2) > 0.4
    return _make_rhythm(stream, samples, sfreq, 60, 25) * tense


def _spoil_channel(stream: np.random.Generator, wave: Floats, sfreq: float, kind: str) -> Floats:
    """Return a channel's signal, shape (samples,), as a bad contact distorts it."""
    if kind == "flat":
        return np.zeros_like(wave)
    if kind == "noisy":
        return wave + 60 * stream.standard_normal(wave.size)
    if kind == "railed":
        return np.clip(wave + 2000 * _make_rhythm(stream, wave.size, sfreq, 0, 0.1), -800, 800)
    raise ValueError(f"A bad channel is flat, noisy or railed, not {kind!r}.")
