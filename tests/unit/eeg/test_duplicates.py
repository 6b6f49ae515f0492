"""A recording is no baseline of itself, however it was saved again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copilot import pipeline
from copilot.eeg import simulate
from copilot.eeg.classifier import Classifier
from copilot.eeg.duplicates import is_same_signal
from copilot.eeg.reader import read
from copilot.eeg.types import Recording, RecordingError
from copilot.person import Person
from copilot.settings import Settings
from tests.helpers.eeg_files import write_edf


@pytest.fixture(scope="module")
def made() -> Recording:
    return simulate.simulate(30, seed=5, sfreq=250)


def test_a_copy_is_the_same_signal_and_another_recording_is_not(made):
    half = replace(made, data=made.data[:, :4000])
    slower = replace(made, data=made.data[:, ::2], sfreq=125)
    microvolts_as_volts = replace(made, data=made.data * np.float32(-1e-6))
    averaged = replace(made, data=made.data - made.data.mean(axis=0))
    fewer = replace(made, data=made.data[:8], channels=made.channels[:8])
    for copy in (made, half, microvolts_as_volts, averaged, slower, fewer):
        assert is_same_signal(made, copy)
        assert is_same_signal(copy, made)
    for seed in (6, 7):
        assert not is_same_signal(made, simulate.simulate(30, seed=seed, sfreq=250))
    drift = np.linspace(0, 5000, made.data.shape[1], dtype=np.float32)
    other = simulate.simulate(30, seed=6, sfreq=250)
    assert not is_same_signal(replace(made, data=made.data + drift), replace(other, data=other.data + drift))


@pytest.mark.parametrize("which", ["the file", "renamed", "another format", "twice"])
def test_a_recording_is_refused_as_its_own_baseline(tmp_path: Path, made: Recording, which: str):
    first = write_edf(tmp_path / "first.edf", made.data, 250, made.channels)
    other = simulate.simulate(30, seed=6, sfreq=250)
    second = write_edf(tmp_path / "second.edf", other.data, 250, other.channels)
    again = tmp_path / "again.edf"
    again.write_bytes(first.read_bytes())
    np.savez(tmp_path / "volts.npz", data=made.data / 1e6, sfreq=250, channels=np.array(made.channels))
    baselines = {
        "the file": [first],
        "renamed": [second, again],
        "another format": [tmp_path / "volts.npz"],
        "twice": [second, second],
    }[which]
    reason = "same recording as another" if which == "twice" else "the recording itself"
    given = {"settings": Settings(), "metadata": {}, "classifier": Classifier.load(Settings().decoder)}
    with pytest.raises(RecordingError, match=reason):
        list(pipeline.prepare_prompt([first], Person("female", 34), baselines=baselines, **given))
    assert read([first]).seconds == 30
