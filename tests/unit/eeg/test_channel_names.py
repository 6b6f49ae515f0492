import pytest

from copilot.eeg import channel_names
from copilot.eeg.numbered_montages import TEN_TEN


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
    assert channel_names.standard_name(label) == name


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
    assert channel_names.standard_name(label) is None


def test_duplicates_keep_the_first():
    found = channel_names.find_electrodes(["T3", "T7", "Cz", "EEG Cz-Ref"])
    assert found.rows == (0, 2)
    assert found.names == ("T7", "Cz")
    assert "More than one channel is called Cz, T7" in found.notes[0]


def test_labels_that_are_not_electrodes_are_counted_and_never_quoted():
    found = channel_names.find_electrodes(["Fp1", "JANE DOE", "ECG", "EOG1", "EOG2"])
    assert "1 other, 1 ECG, 2 eye movement" in found.notes[0]
    assert "JANE" not in " ".join(found.notes)


def test_a_bipolar_chain_is_left_out_and_a_shared_reference_is_not():
    assert channel_names.find_electrodes(["Fp1-F3", "F3-C3", "C3-P3", "P3-O1"]).names == ()
    shared = channel_names.find_electrodes(["EEG Fp1-Cz", "EEG Fp2-Cz", "EEG O1-Cz", "EEG O2-Cz"])
    assert shared.names == ("Fp1", "Fp2", "O1", "O2")
    assert "recorded against Cz" in shared.notes[0]


def test_biosemi_a1_is_the_first_electrode_of_the_cap_and_not_an_ear():
    labels = [f"{block}{i}" for block in "AB" for i in range(1, 33)]
    found = channel_names.find_electrodes([*labels, "EXG1", "Status"])
    assert len(found.names) == 64
    assert dict(zip(labels, found.names, strict=True)) | {"A1": "Fp1", "A32": "CPz", "B1": "Fpz", "B16": "Cz"} == dict(
        zip(labels, found.names, strict=True)
    )
    assert "BioSemi cap of 64" in found.notes[0]
    assert channel_names.find_electrodes([f"A{i}" for i in range(1, 33)]).names[31] == "Cz"


def test_half_a_biosemi_cap_cannot_be_placed():
    assert channel_names.find_electrodes([f"A{i}" for i in range(3, 20)]).names == ()


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
    found = channel_names.find_electrodes(labels)
    names = {labels[row]: name for row, name in zip(found.rows, found.names, strict=True)}
    assert known.items() <= names.items()
    assert len(set(found.names)) == len(found.names) >= 20
    assert set(found.names) <= set(TEN_TEN)


def test_biosemi_128_is_placed_with_its_vertex_at_a1():
    labels = [f"{block}{i}" for block in "ABCD" for i in range(1, 33)]
    found = channel_names.find_electrodes(labels)
    names = {labels[row]: name for row, name in zip(found.rows, found.names, strict=True)}
    assert {"A1": "Cz", "A23": "Oz", "C21": "Fz", "D23": "T7", "B26": "T8"}.items() <= names.items()
