"""Encode EEG as text for a language model: one letter per value, letters apart, so that one value is one token.

The encodings (``CODECS``) are named as in a model file. The bundled model was trained on ``patterns``: words, each of
which names the pattern that it measures, because a small model hardly learns which of 150 equal letters is which.
``bands`` is one letter for each electrode and band. ``wavelet`` and ``wavelet-segments`` are the paper's W and WS
(arXiv 2410.00166: each channel as 50 points, or as 500 points in ten segments); the paper states neither family nor
number format: here Daubechies 4 and letters. Letters run from low to high, z marks an absent value. Same input, same
bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from copilot.eeg.features import BANDS_HZ, ELECTRODES, Array, Normal, band_means, standardise
from copilot.eeg.types import Recording

LETTERS = "abcdefghijklmnopqrstuvwxy"
ABSENT = "z"

#: Letters of ``bands`` are this many standard deviations apart; a and y mean 2.4 or more below and above normal.
BANDS_STEP = 0.2

#: Words of ``patterns``: a consonant and a vowel name the pattern, the last letter its strength, e being average.
PATTERN_NAMES = tuple(consonant + vowel for consonant in "bdfghjklmnprstvz" for vowel in "aeiu")
PATTERNS = len(PATTERN_NAMES)
STRENGTHS = "abcdefghi"
PATTERNS_STEP = 0.6
#: A recording longer than this many windows is averaged to so many thirds.
PATTERN_LINES = 3

#: Letters of the wavelet encodings are this many standard deviations apart; a and y mean 3 or more.
WAVELET_STEP = 0.25
WAVELET = "db4"
#: The paper's clips last 30 s; 50 points would average a longer recording away.
WAVELET_SECONDS = 30


@dataclass(frozen=True)
class Signal:
    """All that a text encoding may use.

    Attributes:
        recording: cleaned signal; None where only features are known, from which no wavelet encoding can be made.
        entropy: its differential entropy, shape (30, seconds, 5).
        normal: the normal features to compare with.
        patterns: strength of each principal pattern in each window (``Classifier.measure_patterns``), shape (windows,
            64).
        baselines: cleaned recordings of the same person, may be empty.
    """

    recording: Recording | None
    entropy: Array
    normal: Normal
    patterns: npt.NDArray[np.float64]
    baselines: Sequence[Recording] = ()


def encode_letters(values: npt.ArrayLike, step: float, alphabet: str = LETTERS) -> list[str]:
    """Encode each value (in standard deviations) as one letter; NaN becomes the letter for an absent value.

    Args:
        values: any shape, read in C order.
        step: standard deviations between two letters.
        alphabet: letters from low to high; the middle one is 0.
    """
    array = np.asarray(values, dtype=np.float64)
    middle = len(alphabet) // 2
    limit = middle * step
    index = (np.rint(np.clip(np.nan_to_num(array), -limit, limit) / step) + middle).astype(int)
    return [alphabet[i] if np.isfinite(v) else ABSENT for i, v in zip(index.flat, array.flat, strict=True)]


def format_patterns(values: npt.NDArray[np.float64]) -> str:
    """Write 64 words for each ten seconds, at most three lines; about 64 tokens per line.

    Args:
        values: strengths in standard deviations, shape (windows, 64). More than three windows become three thirds,
            each the mean of its windows; no window at all becomes one line of absent patterns.
    """
    if not len(values):
        values = np.full((1, PATTERNS), np.nan)
    thirds = np.array_split(values, min(PATTERN_LINES, len(values)))
    lines = []
    for third in thirds:
        levels = encode_letters(third.mean(axis=0), PATTERNS_STEP, STRENGTHS)
        lines.append(" ".join(name + level for name, level in zip(PATTERN_NAMES, levels, strict=True)))
    return "\n".join(lines)


def encode_bands(signal: Signal) -> tuple[str, ...]:
    """Encode 150 letters, about 150 tokens: the means of five bands at each of FACED's 30 electrodes against normal."""
    z = standardise(band_means(signal.entropy)[:, None], signal.normal)
    return (" ".join(encode_letters(z, BANDS_STEP)),)


def encode_wavelet(signal: Signal, points: int, segments: int) -> tuple[str, ...]:
    """Encode each channel as points of a wavelet transform, one line per channel; the paper's W and WS.

    Letters are relative to the channel's amplitude in the person's other recordings, or in the recording itself where
    these lack the channel.

    Args:
        signal: with its recording.
        points: per channel.
        segments: how many texts, read one after the other, the points are cut into.
    """
    if signal.recording is None:
        raise ValueError("Wavelet encodings need the signal itself.")
    channels, reduced = signal.recording.channels, reduce_points(signal.recording, points)
    scale = reduced.std(axis=1)
    others = [dict(zip(b.channels, reduce_points(b, points).std(axis=1), strict=True)) for b in signal.baselines]
    for row, name in enumerate(channels):
        if found := [amplitudes[name] for amplitudes in others if name in amplitudes]:
            scale[row] = np.mean(found)
    scaled = reduced / np.maximum(scale, 1e-9)[:, None]
    rows = {name: encode_letters(row, WAVELET_STEP) for name, row in zip(channels, scaled, strict=True)}
    width = points // segments
    return tuple(
        "\n".join(
            f"{name}: {' '.join(rows[name][start : start + width]) if name in rows else ABSENT}" for name in ELECTRODES
        )
        for start in range(0, points, width)
    )


def reduce_points(recording: Recording, points: int) -> npt.NDArray[np.float64]:
    """Shorten each channel to ``points`` by a wavelet transform, shape (channels, points), microvolts.

    The result is the approximation at the deepest level that still has at least ``points`` coefficients, brought to
    exactly ``points`` by linear interpolation.
    """
    import pywt

    samples = min(recording.data.shape[1], round(WAVELET_SECONDS * recording.sfreq))
    signal = recording.data[:, :samples].astype(np.float64)
    level = min(max(0, int(np.log2(samples / points))), pywt.dwt_max_level(samples, WAVELET))
    approximation = pywt.wavedec(signal, WAVELET, mode="periodization", level=level, axis=1)[0] if level else signal
    approximation = approximation / 2 ** (level / 2)  # an orthogonal wavelet gains sqrt(2) per level
    at = np.linspace(0, approximation.shape[1] - 1, points)
    return np.stack([np.interp(at, np.arange(approximation.shape[1]), row) for row in approximation])


CODECS: dict[str, Callable[[Signal], tuple[str, ...]]] = {
    "patterns": lambda signal: (format_patterns(signal.patterns),),
    "bands": encode_bands,
    "wavelet": partial(encode_wavelet, points=50, segments=1),
    "wavelet-segments": partial(encode_wavelet, points=500, segments=10),
}

#: The encodings that are made of features alone.
FEATURE_CODECS = ("bands", "patterns")

#: What the text of each encoding depends on besides the signal; a model reads no other than it was trained on.
_WAVELET_PARAMETERS = {"step": WAVELET_STEP, "wavelet": WAVELET, "seconds": WAVELET_SECONDS}
PARAMETERS: dict[str, dict[str, object]] = {
    "patterns": {"patterns": PATTERNS, "step": PATTERNS_STEP},
    "bands": {"step": BANDS_STEP},
    "wavelet": _WAVELET_PARAMETERS,
    "wavelet-segments": _WAVELET_PARAMETERS,
}

#: For a model file or server that does not state its encoding.
DEFAULT = "patterns"

#: What the prompt says about each encoding.
LETTERS_MEAN = "a is low, m is normal, y is high, z is absent"
DESCRIPTIONS = {
    "patterns": (
        f"{PATTERNS} words for ten seconds, a line each, of two letters for a pattern over scalp, band and second and "
        "one for its strength; a is low, e is average, i is high, z is absent"
    ),
    "bands": (
        f"{len(ELECTRODES)} electrodes ({' '.join(ELECTRODES)}), {len(BANDS_HZ)} letters each: "
        + ", ".join(f"{name} {low:g}-{high:g} Hz" for name, (low, high) in BANDS_HZ.items())
        + f"; {LETTERS_MEAN}"
    ),
    "wavelet": f"up to 30 s of each electrode as 50 wavelet points; {LETTERS_MEAN}",
    "wavelet-segments": f"up to 30 s of each electrode as 500 wavelet points, in ten segments; {LETTERS_MEAN}",
}
