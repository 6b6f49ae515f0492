import numpy as np
import pytest

from copilot.eeg.features import (
    BANDS_HZ,
    ELECTRODES,
    band_means,
    differential_entropy,
    electrode_channels,
    person_normal,
    standardise,
)
from copilot.eeg.types import Recording

RATE = 250
BANDS = list(BANDS_HZ)


def tone(hz: float, microvolts: float, seconds: int = 20, channels: tuple[str, ...] = ("Oz", "Fz")) -> Recording:
    """A sine on the first channel, faint noise on all."""
    t = np.arange(seconds * RATE) / RATE
    data = np.random.default_rng(0).normal(0, 0.1, (len(channels), len(t)))
    data[0] += microvolts * np.sin(2 * np.pi * hz * t)
    return Recording(data.astype(np.float32), RATE, channels, "test")


@pytest.mark.parametrize(("hz", "band"), [(2.5, "delta"), (6, "theta"), (11, "alpha"), (21, "beta"), (38, "gamma")])
def test_a_tone_shows_in_its_own_band_with_the_entropy_of_its_variance(hz: float, band: str) -> None:
    entropy = band_means(differential_entropy(tone(hz, 20)))[ELECTRODES.index("Oz")]
    expected = 0.5 * np.log(2 * np.pi * np.e * 20**2 / 2)
    assert BANDS[int(entropy.argmax())] == band
    assert entropy.max() == pytest.approx(expected, abs=0.1)


def test_absent_electrodes_and_unusable_seconds_are_nan() -> None:
    clean = np.ones(20, dtype=bool)
    clean[3] = False
    entropy = differential_entropy(tone(11, 20), clean)
    assert entropy.shape == (30, 20, 5)
    assert np.isnan(entropy[ELECTRODES.index("Cz")]).all()
    assert np.isnan(entropy[ELECTRODES.index("Oz"), 3]).all()
    assert np.isfinite(np.delete(entropy[ELECTRODES.index("Oz")], 3, axis=0)).all()


def test_doubling_the_amplitude_adds_log_two() -> None:
    once, twice = (band_means(differential_entropy(tone(11, uv)))[ELECTRODES.index("Oz"), 2] for uv in (20, 40))
    assert twice - once == pytest.approx(np.log(2), abs=0.02)


def test_a_long_recording_weighs_no_more_than_a_short_one() -> None:
    short, long = np.zeros((30, 10, 5), np.float32), np.full((30, 100, 5), 2, np.float32)
    normal = person_normal([short, long])
    assert normal.mean == pytest.approx(1)
    assert normal.std == pytest.approx(1)  # all of it between the recordings


def test_standardised_features_of_the_person_have_mean_zero_and_variance_one() -> None:
    rng = np.random.default_rng(1)
    clips = [rng.normal(rng.normal(2, 1), 0.5, (30, 30, 5)).astype(np.float32) for _ in range(28)]
    normal = person_normal(clips)
    z = np.concatenate([standardise(c, normal) for c in clips], axis=1)
    assert z.mean(axis=1) == pytest.approx(0, abs=1e-4)
    assert z.std(axis=1) == pytest.approx(1, abs=1e-4)


def test_an_electrode_that_never_moves_does_not_blow_up() -> None:
    constant = np.ones((30, 10, 5), np.float32)
    assert np.isfinite(standardise(constant, person_normal([constant]))).all()


def test_a_headset_without_the_usual_places_is_read_from_its_nearest_ones() -> None:
    muse = ("TP9", "AF7", "AF8", "TP10")
    assert electrode_channels(muse) == {"Fp1": "AF7", "Fp2": "AF8", "T7": "TP9", "T8": "TP10"}
    entropy = differential_entropy(tone(11, 20, channels=muse))
    assert np.isfinite(entropy).any(axis=(1, 2)).sum() == 4
    assert band_means(entropy)[ELECTRODES.index("T7")].argmax() == BANDS.index("alpha")


def test_an_electrode_that_is_there_is_never_replaced() -> None:
    assert electrode_channels(("T7", "TP9", "AF3", "AF7")) == {"Fp1": "AF7", "T7": "T7"}
