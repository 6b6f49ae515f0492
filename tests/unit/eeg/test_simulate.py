"""Simulated EEG has the alpha, blinks, hum and bad channels it was asked for, and goes the way of an upload."""

import numpy as np
import pytest
from scipy.signal import welch

from copilot.eeg.simulate import EXAMPLES, TEN_TWENTY, simulate, simulate_example, write_example


def power_at(recording, channel, hz, half_width=1.0):
    frequencies, power = welch(recording.data[recording.channels.index(channel)], recording.sfreq, nperseg=1000)
    near = np.abs(frequencies - hz) <= half_width
    return power[near].sum() * frequencies[1]


def test_same_seed_same_bytes():
    assert simulate(seed=4).data.tobytes() == simulate(seed=4).data.tobytes()
    assert simulate(seed=4).data.tobytes() != simulate(seed=5).data.tobytes()


@pytest.mark.parametrize(("alpha_hz", "sfreq"), [(9, 250), (11, 500), (10, 128)])
def test_alpha_has_its_amplitude_and_frequency_at_the_back(alpha_hz, sfreq):
    with_alpha, without = (
        simulate(sfreq=sfreq, alpha_uv=uv, alpha_hz=alpha_hz, line_uv=0, blinks_per_minute=0) for uv in (10, 0)
    )
    alpha = with_alpha.data - without.data
    assert alpha[TEN_TWENTY.index("O1")].std() == pytest.approx(10, rel=0.01)
    assert alpha[TEN_TWENTY.index("Fp1")].std() < 1
    frequencies, power = welch(alpha[TEN_TWENTY.index("O2")], sfreq, nperseg=2 * sfreq)
    assert frequencies[power.argmax()] == pytest.approx(alpha_hz, abs=0.5)


def test_neighbours_are_alike_and_distant_electrodes_are_not():
    recording = simulate(alpha_uv=0, line_uv=0, blinks_per_minute=0)
    likeness = np.corrcoef(recording.data)
    fp1, fp2, o2 = (TEN_TWENTY.index(name) for name in ("Fp1", "Fp2", "O2"))
    assert likeness[fp1, fp2] > 0.5
    assert abs(likeness[fp1, o2]) < 0.2


def test_blinks_are_as_many_as_asked_and_at_the_front():
    blinks = simulate(blinks_per_minute=15).data - simulate(blinks_per_minute=0).data
    above = blinks[TEN_TWENTY.index("Fp1")] > 45
    assert np.count_nonzero(np.diff(above.astype(int)) == 1) == 15
    assert np.abs(blinks[TEN_TWENTY.index("O1")]).max() < 5


def test_hum_is_at_its_frequency():
    assert power_at(simulate(line_hz=60, line_uv=10), "Cz", 60) > 100 * power_at(simulate(line_uv=0), "Cz", 60)


def test_bad_channels_leave_the_others_alone():
    truth = simulate()
    spoilt = simulate(bad_channels={"T7": "flat", "P4": "noisy", "F8": "railed"})
    good = [i for i, name in enumerate(TEN_TWENTY) if name not in ("T7", "P4", "F8")]
    np.testing.assert_array_equal(truth.data[good], spoilt.data[good])
    assert np.ptp(spoilt.data[TEN_TWENTY.index("T7")]) == 0
    with pytest.raises(ValueError, match="flat, noisy or railed"):
        simulate(bad_channels={"T7": "green"})


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_labelled_as_simulated_and_written_without_pickles(name, tmp_path):
    assert "simulated" in EXAMPLES[name].title
    assert EXAMPLES[name].description.startswith("Simulated: ")
    path = write_example(name, tmp_path)
    assert "simulated" in path.name
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["data"], simulate_example(name).data)
        assert archive["data"].shape == (19, archive["sfreq"] * 90)
        assert tuple(archive["channels"]) == TEN_TWENTY
        assert str(archive["units"]) == "uV"
    assert path.read_bytes() == write_example(name, tmp_path).read_bytes()
