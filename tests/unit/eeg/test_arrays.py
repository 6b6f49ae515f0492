"""Arrays: what the file states counts, trials are asked for, and public collections are read without typing."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from scipy.io import savemat

from copilot.eeg.formats import matlab
from copilot.eeg.reader import read
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_eeglab

SFREQ = 128
NAMES = np.array(TEN_TWENTY)


@pytest.fixture(scope="module")
def signal():
    return scalp(12, SFREQ)


def saved(path, **content):
    np.savez(path, **content)
    return path


def refused(path, **options) -> str:
    with pytest.raises(RecordingError) as info:
        read([path] if not isinstance(path, list) else path, **options)
    return str(info.value)


def cells(trials):
    made = np.empty(len(trials), dtype=object)
    made[:] = trials
    return made


# What the file says


def test_what_is_typed_against_the_file_is_refused_with_both(tmp_path, signal):
    path = saved(tmp_path / "a.npz", data=signal, sfreq=SFREQ, channels=NAMES)
    assert "128" in refused(path, sfreq=250)
    assert "250" in refused(path, sfreq=250)
    swapped = ["Fp1", "Cz", *TEN_TWENTY[2:9], "Fp2", *TEN_TWENTY[10:]]
    assert "Electrode 2 is Fp2 in the file and Cz" in refused(path, channels=swapped)
    assert "19 electrodes, and 4 names" in refused(path, channels=TEN_TWENTY[:4])
    np.testing.assert_allclose(read([path], sfreq=SFREQ, channels=TEN_TWENTY).data, signal, atol=1e-3)


def test_names_that_are_numbers_are_none(tmp_path, signal):
    path = saved(tmp_path / "a.npz", data=signal, sfreq=SFREQ, labels=np.arange(19.0))
    assert "channel names" in refused(path)
    np.testing.assert_allclose(read([path], channels=TEN_TWENTY).data, signal, atol=1e-3)
    numbered = saved(tmp_path / "b.npz", data=signal, sfreq=SFREQ, channels=np.array([f"ch{i}" for i in range(19)]))
    assert read([numbered], channels=TEN_TWENTY).channels == TEN_TWENTY


def test_several_rates_are_refused(tmp_path, signal):
    assert "128, 250" in refused(saved(tmp_path / "a.npz", data=signal, sfreq=[250, 128], channels=NAMES))
    assert "several" in refused(saved(tmp_path / "b.npz", data=signal, sfreq=250, fs=128, channels=NAMES))
    path = saved(tmp_path / "c.npz", data=signal, sfreq=SFREQ, channels=NAMES)
    (tmp_path / "c.json").write_text(json.dumps({"SamplingFrequency": 250}))
    assert "several" in refused([path, tmp_path / "c.json"])
    (tmp_path / "c.json").write_text(json.dumps({"channels": TEN_TWENTY[::-1]}))
    assert "different channels" in refused([path, tmp_path / "c.json"])
    assert read([saved(tmp_path / "d.npz", data=signal, sfreq=[128, 128.0], channels=NAMES)]).sfreq == SFREQ


def test_units_that_an_array_states(tmp_path, signal):
    recording = read([saved(tmp_path / "a.npz", data=signal / 1e3, sfreq=SFREQ, channels=NAMES, units=np.array("mV"))])
    np.testing.assert_allclose(recording.data, signal, atol=1e-3)
    assert recording.notes == ()


# Trials


def test_two_recordings_in_one_file_are_asked_for(tmp_path, signal):
    path = saved(tmp_path / "a.npz", data=signal, eeg=2 * signal, places=np.zeros((19, 3)), sfreq=SFREQ, channels=NAMES)
    assert "2 trials" in refused(path)
    assert "the trial" in refused(path)
    np.testing.assert_allclose(read([path], trial=2).data, 2 * signal, atol=1e-3)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 2, 0)])
def test_trials_of_every_order_of_axes(tmp_path, order):
    three = np.stack([scalp(12, SFREQ, seed=seed) for seed in range(3)])
    path = saved(tmp_path / "a.npz", data=three.transpose(order), sfreq=SFREQ, channels=NAMES)
    assert "3 trials" in refused(path)
    for trial in (1, 3):
        recording = read([path], trial=trial)
        np.testing.assert_allclose(recording.data, three[trial - 1], atol=1e-3)
        assert f"Trial {trial} of 3" in recording.notes[0]
    for wrong in (0, 4):
        assert "3 trials" in refused(path, trial=wrong)


def test_short_epochs_are_joined_with_a_note(tmp_path, signal):
    epochs = signal.reshape(19, 12, SFREQ).transpose(1, 0, 2)
    recording = read([saved(tmp_path / "a.npz", data=epochs, sfreq=SFREQ, channels=NAMES)])
    np.testing.assert_allclose(recording.data, signal, atol=1e-3)
    assert "12 epochs" in recording.notes[0]


def test_four_axes_are_refused(tmp_path, signal):
    path = saved(tmp_path / "a.npz", data=np.zeros((2, 3, 19, 500)), sfreq=SFREQ, channels=NAMES)
    assert "2 x 3 x 19 x 500" in refused(path)
    assert "more axes" in refused(path)


def test_a_trial_of_what_has_none(tmp_path, signal):
    path = saved(tmp_path / "a.npz", data=signal, sfreq=SFREQ, channels=NAMES)
    assert read([path], trial=1).notes == read([path]).notes
    assert "holds 1 trials" in refused(path, trial=2)


# Public collections


def film(channels, seconds, sfreq, seed=0):
    return scalp(seconds, sfreq, channels, seed=seed)


def test_deap(tmp_path):
    films = np.stack([film(40, 63, 128, seed) for seed in range(3)]).astype(np.float32)
    savemat(tmp_path / "s01.mat", {"data": films, "labels": np.random.default_rng(0).uniform(1, 9, (3, 4))})
    assert "3 trials" in refused(tmp_path / "s01.mat")
    recording = read([tmp_path / "s01.mat"], trial=2)
    assert (recording.source, recording.sfreq, len(recording.channels)) == ("DEAP", 128, 32)
    for row, name in ((0, "Fp1"), (1, "AF3"), (16, "Fp2"), (23, "Cz"), (31, "O2")):
        np.testing.assert_allclose(recording.data[recording.channels.index(name)], films[1, row], atol=1e-3)
    assert "128" in refused(tmp_path / "s01.mat", sfreq=512, trial=1)


def test_seed(tmp_path):
    films = {f"djc_eeg{number}": film(62, 12, 200, number) for number in (1, 2, 10)}
    savemat(tmp_path / "1_20131027.mat", films)
    assert "3 trials" in refused(tmp_path / "1_20131027.mat")
    recording = read([tmp_path / "1_20131027.mat"], trial=3)
    assert (recording.source, recording.sfreq) == ("SEED", 200)
    np.testing.assert_allclose(recording.data[recording.channels.index("Cz")], films["djc_eeg10"][27], atol=1e-3)
    np.testing.assert_allclose(recording.data[recording.channels.index("O2")], films["djc_eeg10"][60], atol=1e-3)
    assert "djc" not in repr(recording.notes)


def test_dreamer(tmp_path):
    films = [film(14, 12 + number, 128, number).T for number in range(2)]
    person = {"EEG": {"stimuli": cells(films), "baseline": cells(films)}, "Age": "22"}
    content = {"Data": cells([person, person]), "EEG_SamplingRate": 128}
    savemat(tmp_path / "DREAMER.mat", {"DREAMER": content})
    assert "4 trials" in refused(tmp_path / "DREAMER.mat")
    recording = read([tmp_path / "DREAMER.mat"], trial=2)
    assert recording.channels[:2] == ("AF3", "F7")
    np.testing.assert_allclose(recording.data, films[1].T, atol=1e-3)


def test_faced(tmp_path):
    films = np.zeros((28, 32, 7500), dtype=np.float32)
    films[4] = film(32, 30, 250)
    np.save(tmp_path / "sub000.npy", films)
    assert "28 trials" in refused(tmp_path / "sub000.npy")
    recording = read([tmp_path / "sub000.npy"], trial=5)
    np.testing.assert_allclose(recording.data[recording.channels.index("Pz")], films[4][20], atol=1e-3)


@pytest.mark.parametrize("states_rate", [True, False])
def test_fieldtrip(tmp_path, signal, states_rate):
    times = np.arange(12 * SFREQ) / SFREQ
    content = {"label": cells(list(TEN_TWENTY)), "trial": cells([signal, 2 * signal]), "time": cells([times, times])}
    savemat(tmp_path / "a.mat", {"data": content | ({"fsample": SFREQ} if states_rate else {})})
    assert "2 trials" in refused(tmp_path / "a.mat")
    recording = read([tmp_path / "a.mat"], trial=2)
    assert recording.sfreq == SFREQ
    np.testing.assert_allclose(recording.data, 2 * signal, atol=1e-3)


# MATLAB and EEGLAB files


def test_matlab_4(tmp_path, signal):
    savemat(tmp_path / "a.mat", {"EEG": signal, "fs": SFREQ, "labels": NAMES}, format="4")
    recording = read([tmp_path / "a.mat"])
    np.testing.assert_allclose(recording.data, signal, atol=1e-3)
    assert recording.source == "MATLAB"


@pytest.mark.parametrize("compressed", [False, True])
def test_whole_matlab_files_pass_the_check(tmp_path, signal, compressed):
    content = {"s": {"a": signal, "b": cells(["x", signal[:2]]), "c": "text"}, "n": 1j, "e": np.zeros((0, 3)), "t": ""}
    savemat(tmp_path / "a.mat", content, do_compression=compressed)
    matlab.check_elements(tmp_path / "a.mat")


def word(content, old, new, after=128):
    """Replace the first 32-bit number that is ``old`` by ``new``."""
    at = content.index(struct.pack("<I", old), after)
    return content[:at] + struct.pack("<I", new) + content[at + 4 :]


@pytest.mark.parametrize("damage", ["type", "dimensions", "name", "cells"])
def test_damaged_matlab_files_never_reach_a_reader_that_they_crash(tmp_path, signal, damage):
    names = {"labels": cells(list(TEN_TWENTY))}
    path = tmp_path / "a.mat"
    savemat(path, {"data": signal, "fs": SFREQ} if damage == "type" else names)
    whole = path.read_bytes()
    first = whole.find(b"\x06\0\0\0\x08\0\0\0\x04")  # the flags of the first text
    changed = {
        "type": lambda: word(whole, 9, 0x809A),
        "dimensions": lambda: word(word(whole, 5, 5), 8, 0, after=first + 16),
        "name": lambda: whole[: first + 36] + b"\x06" + whole[first + 37 :],
        "cells": lambda: word(whole, 19, 5000),
    }[damage]()
    assert changed != whole
    path.write_bytes(changed)
    with pytest.raises(matlab.ElementError):
        matlab.check_elements(path)
    script = f"from copilot.eeg.reader import *\ntry: read([__import__('pathlib').Path({str(path)!r})])\n"
    script += "except RecordingError as error: print(error)"
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert child.returncode == 0
    assert "damaged" in child.stdout


def test_eeglab_numbers_in_another_order_are_refused(tmp_path, signal):
    files = write_eeglab(tmp_path / "a.set", signal, SFREQ, TEN_TWENTY, fdt="a.fdt")
    np.testing.assert_allclose(read(files).data, signal, atol=1e-3)
    files[1].write_bytes(signal.astype("<f4").tobytes())
    assert "another order" in refused(files)


def test_eeglab_epochs_are_joined_unless_one_is_named(tmp_path):
    three = scalp(36, SFREQ).reshape(19, 3, -1).transpose(0, 2, 1)
    path = write_eeglab(tmp_path / "a.set", three, SFREQ, TEN_TWENTY)[0]
    assert "3 epochs" in read([path]).notes[0]
    np.testing.assert_allclose(read([path], trial=3).data, three[:, :, 2], atol=1e-3)
