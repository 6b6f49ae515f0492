"""BrainVision headers of other countries, and data files that are not what their header says."""

import numpy as np
import pytest

from copilot.eeg.reader import read
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_brainvision

SFREQ = 250


@pytest.fixture
def signal():
    return scalp(12, SFREQ)


@pytest.fixture
def files(tmp_path, signal):
    return write_brainvision(tmp_path / "a.vhdr", signal, SFREQ, TEN_TWENTY)


def change(path, *pairs, encoding="utf-8"):
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_bytes(text.encode(encoding))


@pytest.mark.parametrize(
    "pairs",
    [
        ((",,0.1,µV", ",,0,1,µV"), ("SamplingInterval=4000.0", "SamplingInterval=4000,0")),
        ((",,0.1,µV", ",,0.1,μV"),),  # a Greek mu
        ((",,0.1,µV", ",,0.1,uVolt"),),
        ((",,0.1,µV", ",,0.1"),),
        ((",,0.1,µV", ",,0.0001,mV"),),
        (("Ch1=Fp1,,0.1,µV", "Ch1=Fp1,,0.0000001,V"),),
        (("Ch5=", "; a comment\nCh5="), ("[Channel Infos]", "[Comment]\nJANE DOE\n[Channel Infos]")),
    ],
)
def test_signs_and_units_of_other_countries(files, signal, pairs):
    change(files[0], *pairs)
    recording = read(files)
    assert recording.channels == TEN_TWENTY
    assert recording.sfreq == SFREQ
    assert recording.notes == ()
    np.testing.assert_allclose(recording.data, signal, atol=0.06)


def test_a_header_in_latin_1(files, signal):
    change(files[0], ("Codepage=UTF-8\n", ""), encoding="latin-1")
    np.testing.assert_allclose(read(files).data, signal, atol=0.06)


def test_a_missing_unit_is_that_of_the_others(files, signal):
    change(files[0], ("Ch3=F7,,0.1,µV", "Ch3=F7,,0.1,?"))
    recording = read(files)
    np.testing.assert_allclose(recording.data, signal, atol=0.06)
    assert "1 channels" in recording.notes[0]


@pytest.mark.parametrize("stated", ["MULTIPLEXED", "VECTORIZED"])
def test_numbers_in_another_order_than_stated_are_refused(files, signal, stated):
    numbers = np.round(signal * 10).astype("<i2")
    change(files[0], ("DataOrientation=MULTIPLEXED", f"DataOrientation={stated}"))
    right, wrong = (numbers.T, numbers) if stated == "MULTIPLEXED" else (numbers, numbers.T)
    files[1].write_bytes(right.tobytes())
    np.testing.assert_allclose(read(files).data, signal, atol=0.06)
    files[1].write_bytes(wrong.tobytes())
    with pytest.raises(RecordingError, match="another order"):
        read(files)


def test_strong_hum_at_a_low_rate_is_no_other_order(tmp_path):
    signal = scalp(12, 128) + 300 * np.sin(2 * np.pi * 50 * np.arange(12 * 128) / 128)
    files = write_brainvision(tmp_path / "a.vhdr", signal, 128, TEN_TWENTY)
    np.testing.assert_allclose(read(files).data, signal, atol=0.06)


def test_lengths_that_do_not_fit(files, signal):
    whole = files[1].read_bytes()
    change(files[0], ("NumberOfChannels=19", "NumberOfChannels=19\nDataPoints=3000"))
    files[1].write_bytes(whole + whole[: 38 * 500])
    recording = read(files)
    np.testing.assert_allclose(recording.data, signal, atol=0.06)
    assert "2 s longer than its header says" in recording.notes[0]
    for damaged in (whole[: 38 * 2000], whole[:-2], whole + b"\0\0"):
        files[1].write_bytes(damaged)
        with pytest.raises(RecordingError, match="shorter"):
            read(files)


def test_markers_show_that_the_end_is_missing(files):
    files[2].write_text(files[2].read_text() + "Mk3=Stimulus,S  1,2900,1,0\n")
    assert read(files).seconds == 12
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[: len(whole) // 38 * 38 // 2 // 38 * 38])
    with pytest.raises(RecordingError, match="markers"):
        read(files[:3])


def test_a_header_with_other_channels_than_it_counts(files):
    change(files[0], ("NumberOfChannels=19", "NumberOfChannels=20"))
    with pytest.raises(RecordingError, match="20 channels and names 19"):
        read(files)


def test_a_channel_marked_as_bad_beside_the_recording_is_left_out(files, tmp_path, signal):
    table = tmp_path / "sub-1_channels.tsv"
    rows = [f"{name}\tEEG\tuV\t{'bad' if name == 'T7' else 'good'}" for name in TEN_TWENTY]
    table.write_text("name\ttype\tunits\tstatus\n" + "\n".join(rows))
    recording = read([*files, table])
    assert "T7" not in recording.channels
    assert "T7" in recording.notes[0]
    np.testing.assert_allclose(recording.data, np.delete(signal, TEN_TWENTY.index("T7"), axis=0), atol=0.06)
