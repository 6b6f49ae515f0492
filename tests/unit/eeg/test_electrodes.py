"""Names of electrodes: what is one, what it is called; of caps that number theirs none may get another place's name."""

import mne
import numpy as np
import pytest

from copilot.eeg import electrodes
from copilot.eeg.electrodes import TEN_TEN, find_electrodes
from copilot.eeg.reader import read
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import scalp, write_edf

FAR_DEGREES = 20.0
STANDARD = electrodes.compute_directions(electrodes.STANDARD)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("EEG Fp1-LE", "Fp1"),
        ("FP1", "Fp1"),
        ("Fp1.", "Fp1"),
        ("Cz..", "Cz"),
        ("EEG FP1-REF", "Fp1"),
        ("Fp1-A1", "Fp1"),
        ("EEG C3-A2-0", "C3"),
        ("O1 - Ref", "O1"),
        ("fp1_ref", "Fp1"),
        ("EEG.AF3", "AF3"),
        ("poz", "POz"),
        ("T3", "T7"),
        ("EEG T5-Ref", "P7"),
        ("EEG T6", "P8"),
        ("TP10", "TP10"),
        ("Fp1-1", "Fp1"),
    ],
)
def test_an_electrode_gets_its_standard_name(label, name):
    assert electrodes.standard_name(label) == name


@pytest.mark.parametrize(
    "label",
    [
        "EEG 001",
        "EEG A2-A1",
        "A1",
        "M2",
        "ECG ECG",
        "VEOG",
        "Status",
        "Fp1-F3",
        "EEG Fpz-Cz",
        "Resp",
        "",
        "EEG",
        "-",
        "JANE DOE",
    ],
)
def test_what_is_not_a_single_scalp_electrode_has_no_name(label):
    assert electrodes.standard_name(label) is None


def test_duplicates_keep_the_first():
    found = electrodes.find_electrodes(["T3", "T7", "Cz", "EEG Cz-Ref"])
    assert found.rows == (0, 2)
    assert found.names == ("T7", "Cz")
    assert "More than one channel is called Cz, T7" in found.notes[0]


def test_labels_that_are_not_electrodes_are_counted_and_never_quoted():
    found = electrodes.find_electrodes(["Fp1", "JANE DOE", "ECG", "EOG1", "EOG2"])
    assert "1 other, 1 ECG, 2 eye movement" in found.notes[0]
    assert "JANE" not in " ".join(found.notes)


def test_a_bipolar_chain_is_left_out_and_a_shared_reference_is_not():
    assert electrodes.find_electrodes(["Fp1-F3", "F3-C3", "C3-P3", "P3-O1"]).names == ()
    shared = electrodes.find_electrodes(["EEG Fp1-Cz", "EEG Fp2-Cz", "EEG O1-Cz", "EEG O2-Cz"])
    assert shared.names == ("Fp1", "Fp2", "O1", "O2")
    assert "recorded against Cz" in shared.notes[0]


def test_biosemi_a1_is_the_first_electrode_of_the_cap_and_not_an_ear():
    labels = [f"{block}{i}" for block in "AB" for i in range(1, 33)]
    found = electrodes.find_electrodes([*labels, "EXG1", "Status"])
    assert len(found.names) == 64
    assert dict(zip(labels, found.names, strict=True)) | {"A1": "Fp1", "A32": "CPz", "B1": "Fpz", "B16": "Cz"} == dict(
        zip(labels, found.names, strict=True)
    )
    assert "BioSemi cap of 64" in found.notes[0]
    assert electrodes.find_electrodes([f"A{i}" for i in range(1, 33)]).names[31] == "Cz"


def test_half_a_biosemi_cap_cannot_be_placed():
    assert electrodes.find_electrodes([f"A{i}" for i in range(3, 20)]).names == ()


@pytest.mark.parametrize(
    ("count", "known"),
    [
        (32, {"E1": "Fp1", "E10": "O2"}),
        (64, {"E10": "Fp1", "E34": "Pz", "E37": "Oz"}),
        (128, {"E22": "Fp1", "E36": "C3", "E75": "Oz", "E6": "FCz", "E55": "CPz", "E129": "Cz"}),
        (256, {"E37": "Fp1", "E101": "Pz", "E126": "Oz"}),
    ],
)
def test_an_egi_net_is_placed_by_its_numbers(count, known):
    labels = [f"E{i}" for i in range(1, count + 2)]
    found = electrodes.find_electrodes(labels)
    names = {labels[row]: name for row, name in zip(found.rows, found.names, strict=True)}
    assert known.items() <= names.items()
    assert len(set(found.names)) == len(found.names) >= 20
    assert set(found.names) <= set(TEN_TEN)


def test_biosemi_128_is_placed_with_its_vertex_at_a1():
    labels = [f"{block}{i}" for block in "ABCD" for i in range(1, 33)]
    found = electrodes.find_electrodes(labels)
    names = {labels[row]: name for row, name in zip(found.rows, found.names, strict=True)}
    assert {"A1": "Cz", "A23": "Oz", "C21": "Fz", "D23": "T7", "B26": "T8"}.items() <= names.items()


# Caps that number their electrodes


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
