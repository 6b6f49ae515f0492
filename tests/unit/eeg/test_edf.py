"""EDF and BDF files as careless writers leave them: a row is always the channel that it claims to be."""

import numpy as np
import pytest

from copilot.eeg.reader import read
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_edf

SFREQ = 200
UNIT_AT, PHYSICAL_MIN_AT, PHYSICAL_MAX_AT = 96, 104, 112


@pytest.fixture
def signal():
    return scalp(12, SFREQ)


def put(path, field_at: int, width: int, values: dict[int, bytes], count: int) -> None:
    """Write fields of some signals into a header; ``field_at`` is where the field would be if there were one signal."""
    content = bytearray(path.read_bytes())
    for row, value in values.items():
        at = 256 + field_at * count + row * width
        content[at : at + width] = value.ljust(width)[:width]
    path.write_bytes(content)


def put_fixed(path, at: int, value: bytes, width: int = 8) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + width] = value.ljust(width)
    path.write_bytes(content)


@pytest.mark.parametrize("bdf", [False, True])
@pytest.mark.parametrize("place", [0, 9, 19])
@pytest.mark.parametrize("label", [b"ECG".ljust(16, b"\0"), b"ECG\0junk", b"\x01ECG\t", "Jürgen".encode("latin-1")])
def test_an_odd_label_of_another_channel_moves_no_row(tmp_path, signal, bdf, place, label):
    rows, labels = list(signal), list(TEN_TWENTY)
    rows.insert(place, 400 * np.sign(np.sin(np.arange(signal.shape[1]) / 40)))
    labels.insert(place, "ECG")
    path = write_edf(tmp_path / "a.edf", rows, SFREQ, labels, bdf=bdf)
    put(path, 0, 16, {place: label}, 20)
    recording = read([path])
    assert recording.channels == TEN_TWENTY
    np.testing.assert_allclose(recording.data, signal, atol=0.2)


@pytest.mark.parametrize("label", [b"F3".ljust(16, b"\0"), b"F3\0x", b"\tF3\r\n", b"F3\xa0", b"\0\0F3"])
def test_an_odd_label_of_an_electrode_is_read(tmp_path, signal, label):
    path = write_edf(tmp_path / "a.edf", [*signal, signal[0] * 0], SFREQ, [*TEN_TWENTY, "ECG"])
    put(path, 0, 16, {TEN_TWENTY.index("F3"): label}, 20)
    recording = read([path])
    assert recording.channels == TEN_TWENTY
    np.testing.assert_allclose(recording.data, signal, atol=0.2)


def test_labels_that_are_the_same_up_to_nul_are_told_apart(tmp_path, signal):
    labels = ["ECG", *TEN_TWENTY, "ECG", "Fp1"]
    path = write_edf(tmp_path / "a.edf", [signal[3] * 9, *signal, signal[4] * 9, signal[5] * 9], SFREQ, labels)
    put(path, 0, 16, {0: b"Fp1\0x", 20: b"ECG\0", 21: b"Fp1\0x"}, 22)
    recording = read([path])
    np.testing.assert_allclose(recording.data[recording.channels.index("Cz")], signal[9], atol=0.4)
    np.testing.assert_allclose(recording.data[0], signal[3] * 9, atol=0.4)  # the first that is called so


@pytest.mark.parametrize("spelling", [b"UV", b"uVolt", b"\xb5V", b"\xc2\xb5V", "μV".encode(), b"microV", b"uv"])
def test_every_spelling_of_microvolts_is_believed_without_a_word(tmp_path, signal, spelling):
    path = write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY)
    put(path, UNIT_AT, 8, dict.fromkeys(range(19), spelling), 19)
    recording = read([path])
    np.testing.assert_allclose(recording.data, signal, atol=0.2)
    assert recording.notes == ()


def test_units_of_each_channel_count_and_missing_ones_are_those_of_the_others(tmp_path, signal):
    scaled = signal.copy()
    scaled[2] /= 1000
    path = write_edf(tmp_path / "a.edf", scaled, SFREQ, TEN_TWENTY, bdf=True)
    put(path, UNIT_AT, 8, {2: b"mV", 5: b"", 6: b"?"}, 19)
    recording = read([path])
    np.testing.assert_allclose(recording.data, signal, atol=0.05)
    assert [note for note in recording.notes if "2 channels" in note and "unit" in note]


def test_a_scale_that_is_not_known_is_refused(tmp_path, signal):
    path = write_edf(tmp_path / "a.edf", [*signal, signal[0]], SFREQ, [*TEN_TWENTY, "ECG"])
    put(path, PHYSICAL_MIN_AT, 8, {19: b"0"}, 20)
    put(path, PHYSICAL_MAX_AT, 8, {19: b"0"}, 20)
    np.testing.assert_allclose(read([path]).data, signal, atol=0.2)  # an ECG's does not matter
    put(path, PHYSICAL_MIN_AT, 8, {4: b"0"}, 20)
    put(path, PHYSICAL_MAX_AT, 8, {4: b"0"}, 20)
    with pytest.raises(RecordingError, match="scale is not known"):
        read([path])


@pytest.mark.parametrize("bdf", [False, True])
def test_only_what_the_header_speaks_of_is_read(tmp_path, signal, bdf):
    path = write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY, bdf=bdf)
    with path.open("ab") as file:
        file.write(np.random.default_rng(0).bytes(2**16))
    recording = read([path])
    np.testing.assert_allclose(recording.data, signal, atol=0.2)
    assert "longer than its header says" in recording.notes[0]
    twice = write_edf(tmp_path / "b.edf", np.tile(signal, 2), SFREQ, TEN_TWENTY, bdf=bdf, n_records=12)
    assert read([twice]).seconds == 12


@pytest.mark.parametrize("records", [-1, 0])
def test_a_file_that_was_not_closed_is_read_to_its_end(tmp_path, signal, records):
    recording = read([write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY, n_records=records)])
    assert recording.seconds == 12
    assert "did not close" in recording.notes[0]


def test_a_decimal_comma_in_the_duration_is_read(tmp_path, signal):
    path = write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY)
    put_fixed(path, 244, b"1,000000")
    recording = read([path])
    assert recording.sfreq == SFREQ
    np.testing.assert_allclose(recording.data, signal, atol=0.2)


def test_a_header_of_another_size_than_its_signals_need_is_damaged(tmp_path, signal):
    path = write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY)
    put_fixed(path, 184, b"5376")
    with pytest.raises(RecordingError, match="size of the header"):
        read([path])


def test_almost_ten_seconds_are_not_ten(tmp_path):
    path = write_edf(tmp_path / "a.edf", scalp(10, 249), 249, TEN_TWENTY)
    put_fixed(path, 244, b"0.996")
    with pytest.raises(RecordingError, match=r"lasts 9\.9 s"):
        read([path])


def test_the_file_that_was_given_stays_as_it_is(tmp_path, signal):
    path = write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY, patient="DOE")
    before = path.read_bytes()
    read([path])
    assert path.read_bytes() == before


def test_what_is_typed_against_the_header_is_refused_with_both(tmp_path, signal):
    path = write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY)
    with pytest.raises(RecordingError, match=r"200 samples.*128"):
        read([path], sfreq=128)
    with pytest.raises(RecordingError, match=r"Electrode 1 is Fp1 in the file and Fp2"):
        read([path], channels=["Fp2", "Fp1", *TEN_TWENTY[2:]])
    assert read([path], sfreq=SFREQ, channels=TEN_TWENTY).channels == TEN_TWENTY
