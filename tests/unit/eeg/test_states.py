import numpy as np
import pytest

from copilot.eeg import states
from copilot.eeg.features import ELECTRODES, Array, differential_entropy
from copilot.eeg.preprocessing.clean import clean
from copilot.eeg.simulate import simulate
from copilot.eeg.states import StateModels
from copilot.eeg.types import Recording
from copilot.evidence import Evidence

THETA, ALPHA = 1, 2


@pytest.fixture(scope="module")
def models() -> StateModels:
    return StateModels.load()


def entropy(**bands: float) -> Array:
    """A minute whose bands are at these levels over the whole head, and 2 where none is named."""
    levels = [bands.get(name, 2.0) for name in ("delta", "theta", "alpha", "beta", "gamma")]
    return np.tile(np.array(levels, np.float32), (30, 60, 1))


def only(source: str, found: tuple[Evidence, ...]) -> Evidence | None:
    return next((evidence for evidence in found if evidence.source == source), None)


@pytest.mark.parametrize(("alpha_uv", "finding"), [(14, "closed"), (0, "open")])
def test_eyes_are_found_in_a_recording(models: StateModels, alpha_uv: float, finding: str) -> None:
    cleaned, quality = clean(simulate(60, alpha_uv=alpha_uv))
    features = differential_entropy(cleaned, quality.clean)
    evidence = only("eyes", states.find_states(cleaned, "good", [features], models))
    assert evidence is not None
    assert evidence.finding == finding
    assert "100" in evidence.reliability


@pytest.mark.parametrize(("alpha", "finding"), [(2.29, "open"), (2.31, "unclear"), (2.64, "unclear"), (2.66, "closed")])
def test_the_limits_of_open_and_closed(models: StateModels, alpha: float, finding: str) -> None:
    evidence = states.find_eyes(entropy(alpha=alpha), models)
    assert evidence is not None
    assert evidence.finding == finding


def test_eyes_need_an_occipital_electrode_and_ten_seconds(models: StateModels) -> None:
    without = entropy(alpha=4)
    without[[ELECTRODES.index(name) for name in states.REGIONS["occipital"]]] = np.nan
    assert states.find_eyes(without, models) is None
    short = entropy(alpha=4)
    short[:, 9:] = np.nan
    assert states.find_eyes(short, models) is None
    short[:, 9:10] = 2
    assert states.find_eyes(short, models) is not None


def test_effort_raises_frontal_theta_and_lowers_posterior_alpha_against_the_persons_own_rest(
    models: StateModels,
) -> None:
    rest, task = entropy(alpha=3.2), entropy(alpha=3.2)
    frontal, posterior = (
        [ELECTRODES.index(name) for region in regions for name in states.REGIONS[region]]
        for regions in (("frontal",), ("parietal", "occipital"))
    )
    task[frontal, :, THETA] += 0.5
    task[posterior, :, ALPHA] -= 0.5
    found = states.find_effort(task, [rest], models)
    assert found is not None
    assert found.finding == "effort"
    assert found.probability is not None
    assert found.probability >= states.SURE
    same = states.find_effort(rest, [rest], models)
    assert same is not None
    assert same.finding == "rest"


def test_effort_needs_another_recording_and_every_region(models: StateModels) -> None:
    task = entropy(alpha=2.7)
    assert states.find_effort(task, [], models) is None
    without = task.copy()
    without[[ELECTRODES.index("T7"), ELECTRODES.index("T8")]] = np.nan
    assert states.find_effort(without, [entropy(alpha=3.2)], models) is None


def test_opening_the_eyes_is_not_taken_for_effort(models: StateModels) -> None:
    found = states.find_effort(entropy(alpha=2.0, beta=2.1), [entropy(alpha=3.2)], models)
    assert found is not None
    assert found.finding == "unclear"


def noise(seconds: int, exponent: float, sfreq: float = 250, alpha_uv: float = 0) -> Recording:
    """Noise whose power falls with frequency to this exponent, 20 microvolts, and a rhythm of 10 Hz at O1 and O2."""
    channels = ("Fp1", "Fp2", "Cz", "Pz", "O1", "O2")
    samples = int(seconds * sfreq)
    frequencies = np.fft.rfftfreq(samples, 1 / sfreq)
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.normal(size=(len(channels), samples)))
    shaped = spectrum * np.maximum(frequencies, 0.5) ** (-exponent / 2) * (frequencies < 47)
    wave = np.fft.irfft(shaped, samples)
    wave *= 20 / wave.std(axis=1, keepdims=True)
    wave[-2:] += alpha_uv * np.sin(2 * np.pi * 10 * np.arange(samples) / sfreq)
    return Recording(wave.astype(np.float32), sfreq, channels, "simulated")


def test_deep_sleep_and_a_waking_rhythm(models: StateModels) -> None:
    asleep = states.find_sleep(noise(180, exponent=3.5), models)
    awake = states.find_sleep(noise(180, exponent=1, alpha_uv=30), models)
    assert asleep is not None
    assert awake is not None
    assert (asleep.finding, awake.finding) == ("asleep", "awake")


@pytest.mark.parametrize("sfreq", [100.0, 250.0, 256.0])
def test_powers_of_a_sine_are_known(sfreq: float) -> None:
    """A sine of amplitude A has the power A^2/2; divided by the width of the bins, it is the density's sum."""
    samples = int(60 * sfreq)
    sine = 50 * np.sin(2 * np.pi * 6.25 * np.arange(samples) / sfreq)
    data = np.zeros((4, samples), np.float32)
    data[0] = sine
    recording = Recording(data, sfreq, ("Fpz", "Cz", "Pz", "Oz"), "simulated")
    powers = states.measure_sleep_powers(recording)
    assert powers.shape == (2, 2, 4)
    bins_of_theta, width = 10, 1 / states.WELCH_S
    assert np.exp(powers[:, 0, 1]) == pytest.approx((50e-6) ** 2 / 2 / width / bins_of_theta, rel=0.1)


def test_sleep_needs_its_electrodes_and_half_a_minute(models: StateModels) -> None:
    whole = noise(60, exponent=2)
    assert states.find_sleep(whole, models) is not None
    for missing in ("Cz", "Pz"):
        kept = [row for row, name in enumerate(whole.channels) if name != missing]
        fewer = Recording(whole.data[kept], 250, tuple(whole.channels[row] for row in kept), "simulated")
        assert states.find_sleep(fewer, models) is None
    assert states.find_sleep(noise(29, exponent=2), models) is None


def test_one_epoch_is_judged_with_its_neighbours() -> None:
    powers = np.random.default_rng(0).normal(size=(7, 2, 4))
    features = states.build_sleep_features(powers)
    assert features.shape == (7, 16)
    assert features[3, 8:] == pytest.approx(features[1:6, :8].mean(axis=0))
    assert states.build_sleep_features(powers + 5) == pytest.approx(features)
