"""Recordings with a known fault, for the tests: what is no EEG at all, and EEG that something has spoilt."""

from dataclasses import replace

import numpy as np
from scipy.signal import butter, sosfiltfilt, square

from copilot.eeg.simulate import TEN_TWENTY, simulate
from copilot.eeg.types import Recording

SFREQ = 250.0
MUSE = ("TP9", "AF7", "AF8", "TP10")
INSIGHT = ("AF3", "AF4", "T7", "T8", "Pz")
SEVEN = ("Fp1", "Fp2", "C3", "C4", "Pz", "O1", "O2")


def recording(data, channels=TEN_TWENTY, sfreq=SFREQ) -> Recording:
    """Any numbers, shape (channels, samples), microvolts, as if they had been read from a file."""
    return Recording(np.asarray(data, dtype=np.float32), sfreq, tuple(channels), "EDF")


def times(seconds=60, sfreq=SFREQ):
    """Shape (samples,), seconds."""
    return np.arange(round(seconds * sfreq)) / sfreq


def white(count, seconds=60, seed=0, sfreq=SFREQ):
    """Independent noise of 1 microvolt, shape (count, samples)."""
    return np.random.default_rng(seed).standard_normal((count, round(seconds * sfreq)))


def pink(count, seconds=60, seed=0):
    """Independent noise with power 1/f, RMS about 1, shape (count, samples)."""
    spectrum = np.fft.rfft(white(count, seconds, seed))
    waves = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1)), round(seconds * SFREQ))
    return waves * np.random.default_rng(seed).uniform(0.8, 1.2, (count, 1)) / waves.std(axis=1, keepdims=True)


def walks(count, seconds=60, seed=0):
    """Independent random walks."""
    steps = np.cumsum(white(count, seconds, seed), axis=1)
    return steps - steps.mean(axis=1, keepdims=True)


def on_a_table(noise_uv=1.5, hum_uv=40, common_uv=5, channels=TEN_TWENTY, seconds=60, seed=0) -> Recording:
    """A headset that nobody wears: amplifier noise, the same hum and the same noise on all inputs."""
    hum = hum_uv * np.sin(2 * np.pi * 50 * times(seconds)) + common_uv * pink(1, seconds, seed + 1)
    return recording(hum + noise_uv * white(len(channels), seconds, seed), channels)


def generator(shape="sine", hertz=10.0, uv=30, noise_uv=0.5, channels=TEN_TWENTY) -> Recording:
    """One wave on all inputs, and a little noise."""
    wave = {"sine": np.sin, "square": square}[shape](2 * np.pi * hertz * times())
    return recording(uv * wave + noise_uv * white(len(channels)), channels)


def mixed(sources, channels=TEN_TWENTY, noise_uv=0.2, seed=5) -> Recording:
    """``sources``, shape (any, samples), mixed at random over the electrodes."""
    weights = np.random.default_rng(seed).standard_normal((len(channels), len(sources)))
    return recording(10 * weights @ sources + noise_uv * white(len(channels)), channels)


def copied(count=4, channels=TEN_TWENTY, noise_uv=0.2) -> Recording:
    """As many signals as ``count``, each on several electrodes."""
    sources = 10 * pink(count)
    return recording(sources[np.arange(len(channels)) % count] + noise_uv * white(len(channels)), channels)


def swinging_sines(count=4):
    """Sines of several frequencies whose amplitude swings, as in music."""
    waves = [np.sin(2 * np.pi * (7 + 6 * i) * times()) * (1 + 0.8 * np.sin(2 * np.pi * (0.3 + i / 5) * times()))
             for i in range(count)]  # fmt: skip
    return np.stack(waves)


def dead(count, common_uv=40, noise_uv=1.5, seed=3) -> Recording:
    """EEG in which ``count`` electrodes hold noise alone, under a slow signal that all inputs share."""
    good, stream = simulate(line_uv=0), np.random.default_rng(seed)
    data = good.data.astype(float)
    data[stream.permutation(len(data))[:count]] = noise_uv * white(count, seed=seed)
    slow = sosfiltfilt(butter(2, (0.5, 4), "bandpass", fs=SFREQ, output="sos"), white(1, seed=9)[0])
    return recording(data + common_uv * slow / slow.std())


def with_line(hertz, uv, swing=0.0) -> Recording:
    """EEG with a narrow line; ``swing`` is how far its amplitude swings, as a share of it."""
    good = simulate(line_uv=0)
    wave = uv * np.sin(2 * np.pi * hertz * times()) * (1 + swing * np.sin(2 * np.pi * 0.2 * times()))
    return recording(good.data + wave * np.linspace(0.8, 1.2, 19)[:, None])


def in_steps(step_uv) -> Recording:
    """EEG that can only take whole steps."""
    return recording(step_uv * np.round(simulate().data / step_uv))


def with_dropouts(share, seconds=60, seed=7, stretch=3) -> Recording:
    """EEG in which stretches of ``stretch`` seconds were lost on all channels and bridged by straight lines."""
    good = simulate(seconds=seconds, line_uv=0)
    data = good.data + np.cumsum(white(19, seconds, 11), axis=1) / 2
    stream = np.random.default_rng(seed)
    for start in stream.permutation(seconds // (stretch + 1))[: round(share * seconds / stretch)] * (stretch + 1):
        first = round((start + 0.3) * SFREQ)
        last = min(first + round(stretch * SFREQ), data.shape[1] - 1)
        data[:, first:last] = np.linspace(data[:, first], data[:, last], last - first).T
    return recording(data)


def faded(seconds=4) -> Recording:
    """EEG whose last ``seconds`` die away to nothing."""
    good = simulate(line_uv=0)
    gain = np.ones(good.data.shape[1])
    gain[-round(seconds * SFREQ) :] = np.linspace(1, 0, round(seconds * SFREQ)) ** 3
    return recording(good.data * gain)


def filtered(low, high) -> Recording:
    """EEG that was limited to ``low`` to ``high`` Hz before (None: no limit)."""
    kind = "lowpass" if low is None else "highpass" if high is None else "bandpass"
    limits = (low, high) if low and high else low or high
    sos = butter(4, limits, kind, fs=SFREQ, output="sos")
    return recording(sosfiltfilt(sos, simulate(line_uv=0).data, axis=1))


def shuffled(seed=2) -> Recording:
    """EEG whose channels have each other's names."""
    return recording(simulate().data[np.random.default_rng(seed).permutation(19)])


def tense(uv=60) -> Recording:
    """Little but muscle tension, mixed over the electrodes."""
    sos = butter(4, (20, 100), "bandpass", fs=SFREQ, output="sos")
    muscles = sosfiltfilt(sos, white(10, seed=4), axis=1)
    weights = np.random.default_rng(6).standard_normal((19, 10))
    return recording(simulate().data + uv / 3 * weights @ muscles)


def spoilt(change, **options) -> Recording:
    """Simulated EEG after ``change`` of its numbers."""
    good = simulate(**options)
    return replace(good, data=np.asarray(change(good.data), dtype=np.float32))


def slow(data):
    """What of the numbers lies between 0.7 and 3 Hz."""
    return sosfiltfilt(butter(2, (0.7, 3), "bandpass", fs=SFREQ, output="sos"), data, axis=1)
