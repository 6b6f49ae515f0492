"""Caps that number their electrodes: none may get the name of another place."""

import mne
import numpy as np
import pytest

from copilot.eeg import numbered_montages
from copilot.eeg.channel_names import find_electrodes
from copilot.eeg.reader import read
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import scalp, write_edf

FAR_DEGREES = 20.0
STANDARD = numbered_montages.compute_directions(numbered_montages.STANDARD)


def biosemi(count):
    return [f"{letter}{i}" for letter in "ABCDEFGH" for i in range(1, 33)][:count]


def angles(count, labels):
    """Degrees between where the maker puts an electrode and the place whose name it gets."""
    places = mne.channels.make_standard_montage(f"biosemi{count}").get_positions()["ch_pos"]
    if count <= 64:  # these are called by their 10-20 names there
        places = dict(zip(biosemi(count), places.values(), strict=True))
    points = np.array(list(places.values()))
    found = find_electrodes(labels)
    middle = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(axis=1), rcond=None)[0][:3]
    for row, name in zip(found.rows, found.names, strict=True):
        direction = places[labels[row]] - middle
        yield np.degrees(np.arccos(np.clip(direction @ STANDARD[name] / np.linalg.norm(direction), -1, 1)))


@pytest.mark.parametrize("count", [16, 32, 64, 128, 160, 256])
@pytest.mark.parametrize("missing", [[], ["A1"], ["A7", "A9"], "last", "one of each letter"])
def test_biosemi_names_are_near_their_places(count, missing):
    labels = biosemi(count)
    if missing == "last":
        missing = labels[-1:]
    elif missing == "one of each letter":
        missing = labels[4::32]
    kept = [label for label in labels if label not in missing]
    found = list(angles(count, [*kept, "Status", "EXG1"]))
    assert len(found) >= (count if count <= 64 else 55) - len(missing)
    assert np.median(found) < 12
    assert max(found) < FAR_DEGREES
    assert f"BioSemi cap of {count}" in find_electrodes(kept).notes[0]


def test_leading_zeros_and_small_letters_are_the_same_cap():
    plain = find_electrodes(biosemi(160)).names
    assert find_electrodes([f"{label[0].lower()}{int(label[1:]):02d}" for label in biosemi(160)]).names == plain
    assert find_electrodes([f"E{i:03d}" for i in range(1, 129)]) == find_electrodes([f"E{i}" for i in range(1, 129)])


@pytest.mark.parametrize("kept", [slice(0, 200, 2), slice(50, 120), slice(100, 256)])
def test_a_cap_that_cannot_be_known_gives_no_names(tmp_path, kept):
    labels = biosemi(256)[kept]
    assert find_electrodes(labels).names == ()
    with pytest.raises(RecordingError, match="numbered as on a cap"):
        read([write_edf(tmp_path / "a.edf", scalp(11, 128, len(labels)), 128, labels)])


@pytest.mark.parametrize("count", [32, 64, 128, 256])
@pytest.mark.parametrize("missing", [(), (3,), (5, 9, 17)])
def test_an_incomplete_egi_net_keeps_its_names(count, missing):
    whole = dict(zip(range(1, count + 1), [None] * count, strict=True))
    everything = find_electrodes([f"E{i}" for i in whole])
    names = {everything.rows[i] + 1: name for i, name in enumerate(everything.names)}
    numbers = [i for i in whole if i not in missing]
    found = find_electrodes([f"E{i:03d}" for i in numbers])
    assert {numbers[row]: name for row, name in zip(found.rows, found.names, strict=True)} == {
        number: name for number, name in names.items() if number not in missing
    }


def test_few_numbers_beside_10_20_names_are_no_cap():
    labels = ["Fp1", "Fp2", "C3", "C4", "F3", "F4", "O1", "O2", "A1", "A2", "E1", "E2", "F9", "C5", "B1"]
    assert {"C3", "C4", "F3", "F4", "F9", "C5"} <= set(find_electrodes(labels).names)


def test_a_file_of_256_electrodes_is_read_with_the_signal_of_each_place(tmp_path):
    signal = scalp(12, 128, 256)
    recording = read([write_edf(tmp_path / "a.edf", signal, 128, biosemi(256))])
    row = biosemi(256).index("A1")  # the middle of the head on all large caps
    np.testing.assert_allclose(recording.data[recording.channels.index("Cz")], signal[row], atol=0.2)
