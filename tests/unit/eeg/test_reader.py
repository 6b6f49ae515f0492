import io
import json
import os
import pickle
import struct
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from copilot.eeg.reader import read
from copilot.eeg.types import Recording, RecordingError
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_brainvision, write_cnt, write_edf, write_eeglab, write_gdf

SFREQ = 250


@pytest.fixture
def signal():
    return scalp(12, SFREQ)


@pytest.fixture
def edf(tmp_path, signal):
    return write_edf(tmp_path / "recording.edf", signal, SFREQ, TEN_TWENTY)


@pytest.fixture(autouse=True)
def no_file_left_behind(tmp_path, monkeypatch):
    """Every test here fails if reading leaves something in the folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def same(recording: Recording, signal, atol=0.2):
    assert recording.data.dtype == np.float32
    np.testing.assert_allclose(recording.data, signal, atol=atol)


def refused(paths, **options) -> str:
    """Why a file is refused: one plain sentence, or two short ones."""
    with pytest.raises(RecordingError) as info:
        read([paths] if isinstance(paths, Path) else paths, **options)
    message = str(info.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert "Error" not in message
    return message


# What is read


def test_edf(edf, signal):
    recording = read([edf])
    same(recording, signal)
    assert (recording.sfreq, recording.channels, recording.source) == (250.0, TEN_TWENTY, "EDF")
    assert recording.seconds == 12
    assert recording.notes == ()


def test_bdf(tmp_path, signal):
    recording = read([write_edf(tmp_path / "a.bdf", signal, SFREQ, TEN_TWENTY, bdf=True)])
    same(recording, signal, atol=0.001)
    assert recording.source == "BDF"


def test_the_kind_is_told_from_the_content(edf, signal, tmp_path):
    same(read([edf.rename(tmp_path / "no_suffix")]), signal)


def test_nothing_of_the_person_comes_through(tmp_path, signal):
    path = write_edf(
        *(tmp_path / "JANE_DOE.edf", [*signal, signal[0]], SFREQ, [*TEN_TWENTY, "JANE DOE"]),
        patient="MCH-0234567 F 02-MAY-1951 JANE_DOE",
        recording="Startdate 02-MAR-2002 EMG561 DR_DOE Telemetry",
        date="02.03.02",
        annotations=b"+1\x14JANE DOE moved\x14\x00",
    )
    recording = read([path])
    said = repr((recording.source, recording.notes, recording.channels)).upper()
    assert recording.source == "EDF+"
    for secret in ("JANE", "DOE", "1951", "2002", "MCH", "TELEMETRY"):
        assert secret not in said


def test_an_invalid_date_or_patient_does_not_matter(tmp_path, signal):
    path = write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY, patient="\xff\xfe = = x=y=z", date="99.99.99")
    same(read([path]), signal)


def test_other_channels_and_their_rates_do_not_matter(tmp_path, signal):
    ecg, slow = np.ones(12 * 1000), np.ones(12)
    rates = [SFREQ] * 19 + [1000, 1]
    labels = [f"EEG {name}-LE" for name in TEN_TWENTY] + ["ECG", "SpO2"]
    recording = read([write_edf(tmp_path / "a.edf", [*signal, ecg, slow], SFREQ, labels, rates=rates)])
    same(recording, signal, atol=0.2)
    assert recording.sfreq == 250
    assert "1 ECG, 1 breathing" in recording.notes[0]


def test_electrodes_of_different_rates_are_brought_to_the_fastest(tmp_path, signal):
    rates = [SFREQ] * 18 + [125]
    path = write_edf(tmp_path / "a.edf", [*signal[:18], signal[18, ::2]], SFREQ, TEN_TWENTY, rates=rates)
    recording = read([path])
    assert recording.sfreq == 250
    assert "different sampling rates" in recording.notes[0]
    assert np.corrcoef(recording.data[18], signal[18])[0, 1] > 0.95


def test_duplicate_channels_keep_the_first(tmp_path, signal):
    path = write_edf(tmp_path / "a.edf", [*signal, signal[0] * 0], SFREQ, [*TEN_TWENTY, "Fp1"])
    recording = read([path])
    same(recording, signal)
    assert "More than one channel is called Fp1" in recording.notes[0]


def test_a_long_recording_is_read_from_its_start(tmp_path):
    long = scalp(130, 100, n_channels=4)
    recording = read([write_edf(tmp_path / "a.edf", long, 100, TEN_TWENTY[:4])], max_minutes=1)
    same(recording, long[:, :6000])
    assert "Only the first 1 of 2 minutes" in recording.notes[0]


def test_a_file_that_was_not_closed_is_read_to_its_end(tmp_path, signal):
    recording = read([write_edf(tmp_path / "a.edf", signal, SFREQ, TEN_TWENTY, n_records=-1)])
    same(recording, signal)
    assert "did not close" in recording.notes[0]


@pytest.mark.parametrize(
    "named", [None, "JANE DOE.eeg", "../../../etc/passwd", "C:\\data\\recording.eeg", "/etc/passwd"]
)
def test_brainvision_reads_the_data_that_were_given(tmp_path, signal, named):
    recording = read(write_brainvision(tmp_path / "recording.vhdr", signal, SFREQ, TEN_TWENTY, data_file=named))
    same(recording, signal)
    assert recording.source == "BrainVision"
    assert "JANE" not in repr(recording)


def test_brainvision_in_a_zip_and_from_several_folders(tmp_path, signal):
    files = write_brainvision(tmp_path / "recording.vhdr", signal, SFREQ, TEN_TWENTY)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f"folder/{file.name}")
        archive.writestr("__MACOSX/._recording.vhdr", b"junk")
    same(read([tmp_path / "a.zip"]), signal)
    for number, file in enumerate(files):
        (tmp_path / str(number)).mkdir()
        file.rename(tmp_path / str(number) / file.name)
    same(read([tmp_path / str(i) / file.name for i, file in enumerate(files)]), signal)


@pytest.mark.parametrize("fdt", [None, "recording.fdt", "../../etc/passwd", "C:\\lab\\other.fdt"])
def test_eeglab(tmp_path, signal, fdt):
    recording = read(write_eeglab(tmp_path / "recording.set", signal, SFREQ, TEN_TWENTY, fdt=fdt))
    same(recording, signal, atol=1e-3)
    assert recording.source == "EEGLAB"


def test_eeglab_epochs_are_joined(tmp_path, signal):
    epochs = signal.reshape(19, 12, SFREQ).transpose(0, 2, 1)
    recording = read(write_eeglab(tmp_path / "a.set", epochs, SFREQ, TEN_TWENTY, fdt="a.fdt"))
    same(recording, signal, atol=1e-3)
    assert "12 epochs" in recording.notes[0]


@pytest.mark.parametrize("epochs", [False, True])
def test_fif(tmp_path, signal, epochs):
    info = mne.create_info(list(TEN_TWENTY), SFREQ, "eeg")
    info["subject_info"] = {"last_name": "Doe", "first_name": "Jane"}
    if epochs:
        whole = mne.EpochsArray(signal.reshape(19, 12, SFREQ).transpose(1, 0, 2) / 1e6, info, verbose="ERROR")
    else:
        whole = mne.io.RawArray(signal / 1e6, info, verbose="ERROR")
    path = tmp_path / ("a-epo.fif" if epochs else "a_raw.fif")
    whole.save(path, verbose="ERROR")
    recording = read([path])
    same(recording, signal, atol=1e-3)
    assert recording.source == "FIF"
    assert "Doe" not in repr(recording)
    cut = tmp_path / "cut.fif"
    cut.write_bytes(path.read_bytes()[:-30000])
    refused(cut)


@pytest.mark.parametrize(
    ("write", "name", "kind"), [(write_gdf, "a.gdf", "GDF"), (write_cnt, "a.cnt", "Neuroscan CNT")]
)
def test_gdf_and_cnt(tmp_path, signal, write, name, kind):
    path = write(tmp_path / name, signal, SFREQ, TEN_TWENTY)
    recording = read([path])
    same(recording, signal)
    assert recording.source == kind
    assert "DOE" not in repr(recording)
    for kept in (500, 2000, 100_000):
        path.write_bytes(path.read_bytes()[:kept])
        assert "cut short" in refused(path)


def test_egi_mff(tmp_path):
    bin_writer = pytest.importorskip("mffpy.bin_writer")
    from mffpy import Writer

    net = np.zeros((257, 3000), dtype=np.float32)
    net[:256] = np.tile(scalp(12, SFREQ, 16), (16, 1))
    blocks = bin_writer.BinWriter(sampling_rate=SFREQ, data_type="EEG")
    blocks.add_block(net)
    writer = Writer(str(tmp_path / "JANE.mff"))
    writer.addxml("fileInfo", recordTime=datetime(2020, 1, 1, tzinfo=UTC))
    writer.add_coordinates_and_sensor_layout("HydroCel GSN 256 1.0")
    writer.addbin(blocks)
    writer.write()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in (tmp_path / "JANE.mff").iterdir():
            archive.write(file, f"folder/JANE.mff/{file.name}")
    for path in (tmp_path / "JANE.mff", tmp_path / "a.zip"):
        recording = read([path])
        np.testing.assert_allclose(recording.data[recording.channels.index("Fp1")], net[36], atol=0.01)
        assert "JANE" not in repr(recording)


def test_egi_simple_binary(tmp_path):
    net = np.zeros((129, 3000))
    net[:128] = np.tile(scalp(12, SFREQ, 16), (8, 1))
    header = struct.pack(">i6hi5hi h", 2, 2020, 1, 1, 12, 0, 0, 0, SFREQ, 129, 1, 0, 0, 3000, 0)
    path = tmp_path / "a.raw"
    path.write_bytes(header + np.round(net.T).astype(">i2").tobytes())
    recording = read([path])
    assert recording.source == "EGI"
    assert {"Fp1", "Cz", "Oz", "T7"} <= set(recording.channels)
    np.testing.assert_allclose(recording.data[recording.channels.index("Fp1")], net[21], atol=0.6)


HEADER = ",".join(TEN_TWENTY)


def csv(signal, header=HEADER, separator=",", decimal=".", time=None):
    rows = signal.T if time is None else np.column_stack([time, signal.T])
    text = "\n".join(separator.join(f"{value:.4f}".replace(".", decimal) for value in row) for row in rows)
    return f"{header}\n{text}\n" if header else f"{text}\n"


def test_csv_with_the_rate_from_its_time_column(tmp_path, signal):
    path = tmp_path / "a.csv"
    path.write_text(csv(signal, "Time (s)," + ",".join(TEN_TWENTY), time=np.arange(3000) / SFREQ))
    recording = read([path])
    same(recording, signal, atol=1e-3)
    assert recording.sfreq == 250
    assert recording.notes == (
        "The values were taken as microvolts, which fits their size.",
        "The sampling rate as read is 250 Hz, worked out from the file's times.",
    )


@pytest.mark.parametrize(
    ("separator", "decimal", "suffix"), [("\t", ".", ".tsv"), (";", ",", ".csv"), (" ", ".", ".txt")]
)
def test_tables_of_other_countries_and_programs(tmp_path, signal, separator, decimal, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("\ufeff" + csv(signal, separator.join(TEN_TWENTY), separator, decimal), encoding="utf-8")
    same(read([path], sfreq=SFREQ), signal, atol=1e-3)


def test_a_table_without_a_header_needs_channel_names(tmp_path, signal):
    path = tmp_path / "a.csv"
    path.write_text(csv(signal, header=""))
    same(read([path], sfreq=SFREQ, channels=TEN_TWENTY), signal, atol=1e-3)
    assert "state them" in refused(path, sfreq=SFREQ)
    assert "3 channel names do not fit 19 columns" in refused(path, sfreq=SFREQ, channels=["Cz", "Fz", "Pz"])
    side = tmp_path / "a.json"
    side.write_text(json.dumps({"SamplingFrequency": SFREQ, "channels": TEN_TWENTY}))
    same(read([path, side]), signal, atol=1e-3)


def test_openbci(tmp_path):
    eight = scalp(12, SFREQ, 8)
    lines = ["%OpenBCI Raw EXG Data", "%Number of channels = 8", "%Sample Rate = 250 Hz", "%Board = Cyton"]
    lines.append(
        "Sample Index, " + ", ".join(f"EXG Channel {i}" for i in range(8)) + ", Accel Channel 0, Timestamp (Formatted)"
    )
    lines += [
        f"{i % 256}, " + ", ".join(f"{v:.2f}" for v in row + 4000) + ", 0.1, 12:00:53.329"
        for i, row in enumerate(eight.T)
    ]
    path = tmp_path / "OpenBCI-RAW.txt"
    path.write_text("\r\n".join(lines))
    recording = read([path])
    same(recording, eight + 4000, atol=0.01)
    assert recording.channels == ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2")
    assert "assumed" in recording.notes[0]
    stated = read([path], channels=["F7", "F8", "C3", "C4", "P7", "P8", "O1", "O2"])
    assert stated.channels[:2] == ("F7", "F8")
    assert stated.notes == ()


def test_openbci_of_2016_has_no_header_line(tmp_path):
    eight = scalp(12, SFREQ, 8)
    lines = ["%OpenBCI Raw EEG Data", "%", "%Sample Rate = 250.0 Hz"]
    lines += [f"{i % 256}, " + ", ".join(f"{v:.2f}" for v in row) + ", 0.0, 0.1, 0.2" for i, row in enumerate(eight.T)]
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines))
    same(read([path]), eight, atol=0.01)


def muse(four, rate):
    stamps = np.datetime64("2020-01-01T12:00:00") + (np.arange(four.shape[1]) / rate * 1e6).astype("timedelta64[us]")
    lines = ["TimeStamp,Delta_TP9,RAW_TP9,RAW_AF7,RAW_AF8,RAW_TP10,AUX_RIGHT,Elements"]
    for i, (stamp, row) in enumerate(zip(stamps, four.T, strict=True)):
        stamp = str(stamp).replace("T", " ")[:23]
        if i % 500 == 0:
            lines.append(f"{stamp},,,,,,,/muse/elements/blink")
        lines.append(f"{stamp},0.5," + ",".join(f"{v + 800:.3f}" for v in row) + ",780.0,")
    return "\n".join(lines)


def test_muse(tmp_path):
    four = scalp(12, 256, 4)
    path = tmp_path / "museMonitor_2020-01-01.csv"
    path.write_text(muse(four, 256))
    recording = read([path])
    same(recording, four + 800, atol=0.01)
    assert (recording.sfreq, recording.channels) == (256.0, ("TP9", "AF7", "AF8", "TP10"))
    path.write_text(muse(scalp(12, 256, 4), 10))
    assert "recording interval" in refused(path)


def test_arrays(tmp_path, signal):
    np.savez(tmp_path / "a.npz", data=signal, sfreq=SFREQ, channels=np.array(TEN_TWENTY))
    savemat(tmp_path / "a.mat", {"EEG": signal.T, "fs": SFREQ, "labels": np.array(TEN_TWENTY, dtype=object)})
    np.save(tmp_path / "a.npy", signal.reshape(19, 12, SFREQ).transpose(1, 0, 2))
    for name in ("a.npz", "a.mat"):
        same(read([tmp_path / name]), signal, atol=1e-3)
    same(read([tmp_path / "a.npy"], sfreq=SFREQ, channels=TEN_TWENTY), signal, atol=1e-3)
    assert "does not state" in refused(tmp_path / "a.npy")
    assert "do not fit" in refused(tmp_path / "a.npy", sfreq=SFREQ, channels=["Cz", "Pz"])
    (tmp_path / "a.json").write_text(json.dumps({"sfreq": SFREQ, "channels": TEN_TWENTY}))
    same(read([tmp_path / "a.npy", tmp_path / "a.json"]), signal, atol=1e-3)


# Units


@pytest.mark.parametrize(
    ("scale", "unit"), [(1e-6, "volts"), (1e-3, "millivolts"), (1.0, "microvolts"), (1e3, "nanovolts")]
)
def test_units_of_arrays_are_found(tmp_path, signal, scale, unit):
    drift = 5000 * np.linspace(0, 1, 3000) + 12000  # of which a scalp has much
    np.savez(tmp_path / "a.npz", data=(signal + drift) * scale, sfreq=SFREQ, channels=np.array(TEN_TWENTY))
    recording = read([tmp_path / "a.npz"])
    same(recording, signal + drift, atol=0.05)
    assert unit in recording.notes[0]


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1e-3), ("V", 1e-6), ("nV", 1e3)])
def test_units_that_a_file_states_are_believed(tmp_path, signal, unit, scale):
    path = write_edf(tmp_path / "a.edf", signal * scale, SFREQ, TEN_TWENTY, unit=unit)
    same(read([path]), signal, atol=0.5)


@pytest.mark.parametrize(("unit", "scale"), [("V", 1.0), ("", 1.0), ("uV", 1e-6)])
def test_units_that_cannot_be_right_are_corrected(tmp_path, signal, unit, scale):
    recording = read([write_edf(tmp_path / "a.edf", signal * scale, SFREQ, TEN_TWENTY, unit=unit)])
    same(recording, signal, atol=0.5)
    assert "units" in recording.notes[0]


@pytest.mark.parametrize("physical", [500, 8000, 200000])
def test_random_bits_are_damaged(tmp_path, physical):
    noise = np.random.default_rng(0).uniform(-physical, physical, (19, 3000))
    assert "cannot be a scalp's" in refused(write_edf(tmp_path / "a.edf", noise, SFREQ, TEN_TWENTY, physical=physical))


def test_a_binary_file_sent_as_text_is_damaged(tmp_path, edf):
    edf.write_bytes(edf.read_bytes().replace(b"\n", b"\r\n"))
    assert "line ends" in refused(edf)


def test_a_constant_recording_is_refused(tmp_path):
    assert "constant" in refused(write_edf(tmp_path / "a.edf", np.ones((19, 3000)), SFREQ, TEN_TWENTY))


def test_gaps_are_bridged_and_too_many_are_refused(tmp_path, signal):
    holes = signal.copy()
    holes[3, 100:103] = np.nan
    holes[4, 200] = np.inf
    np.savez(tmp_path / "a.npz", data=holes, sfreq=SFREQ, channels=np.array(TEN_TWENTY))
    recording = read([tmp_path / "a.npz"])
    assert np.isfinite(recording.data).all()
    assert "bridged" in recording.notes[0]
    holes[:, :1000] = np.nan
    np.savez(tmp_path / "b.npz", data=holes, sfreq=SFREQ, channels=np.array(TEN_TWENTY))
    assert "missing" in refused(tmp_path / "b.npz")


# What is refused


def test_lengths_rates_and_counts_that_are_not_enough(tmp_path):
    def edf(seconds, rate, n):
        return write_edf(tmp_path / "a.edf", scalp(seconds, rate, n), rate, TEN_TWENTY[:n])

    assert "lasts 9.0 s" in refused(edf(9, 250, 19))
    assert "only 3 EEG channels" in refused(edf(12, 250, 3))
    assert "sampling rate is 64 Hz" in refused(edf(12, 64, 19))
    assert read([edf(10, 100, 4)]).seconds == 10


def test_stated_rates_have_to_be_possible(edf):
    for rate in (0, -1, 50, 1e6, float("nan")):
        assert "sampling rate" in refused(edf, sfreq=rate)


def test_no_eeg_at_all(tmp_path):
    path = write_edf(tmp_path / "a.edf", np.zeros((2, 12)), 1, ["Sleep stage", "ECG"], annotations=b"+3\x14W\x14\x00")
    assert "no EEG channels" in refused(path)
    bipolar = write_edf(tmp_path / "b.edf", scalp(12, 250, 4), 250, ["Fp1-F3", "F3-C3", "C3-P3", "P3-O1"])
    assert "4 bipolar" in refused(bipolar)


def test_too_large(edf, tmp_path):
    np.savez_compressed(tmp_path / "big.npz", data=np.zeros((19, 10**5)), sfreq=SFREQ, channels=np.array(TEN_TWENTY))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.edf", bytes(3 * 2**20))
    assert (tmp_path / "bomb.zip").stat().st_size < 10**5
    assert "at most 1 MB" in refused(tmp_path / "bomb.zip", max_mb=1)
    assert "at most 1 MB" in refused(tmp_path / "big.npz", max_mb=1)
    with edf.open("ab") as file:
        file.truncate(2 * 2**20)
    assert "at most 1 MB" in refused(edf, max_mb=1)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.edf", b"", "empty"),
        ("a.edf", b"GIF89a" + bytes(3000), "picture"),
        ("a.edf", b"%PDF-1.7 " + bytes(3000), "PDF"),
        ("a.bdf", b"\xff\xd8\xff\xe0" + bytes(3000), "picture"),
        ("a.edf", b"<!DOCTYPE html><html>Log in</html>", "web page"),
        ("a.edf", b"some words\n" * 300, "named .edf"),
        ("a.set", bytes(3000), "named .set"),
        ("a.vhdr", b"hello", "named .vhdr"),
        ("a.docx", b"\xd0\xcf\x11\xe0" + bytes(3000), "not read"),
        ("a.xdf", b"XDF:" + bytes(3000), "XDF"),
        ("a.mat", b"MATLAB 7.3 MAT-file" + bytes(3000), "-v7"),
        ("a.fif.gz", b"\x1f\x8b\x08" + bytes(300), "gzip"),
        ("a.fdt", bytes(3000), ".set"),
        ("a.eeg", bytes(3000), ".vhdr"),
        ("a.json", b"{}", "no recording"),
        ("a.txt", b"some notes\nabout a recording\n", "not a table"),
        ("a.txt", b"x", "not a table"),
        ("a.csv", b'a,b\n"', "not a table"),
        (
            "a.npy",
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }",
            "damaged",
        ),
        ("a.zip", b"PK\x03\x04 not really", "zip"),
        ("a.zip", b"PK\x05\x06" + bytes(18), "zip"),
        ("a.pkl", b"anything", "pickles"),
        ("a.bin", pickle.dumps({"data": [1.0]}), "pickles"),
        ("a.dat", pickle.dumps({"data": [1.0]}), "pickles"),
    ],
)
def test_files_that_are_not_a_recording(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    assert word in refused(tmp_path / name)


def test_a_missing_file_or_none(tmp_path):
    assert "not there" in refused(tmp_path / "nothing.edf")
    assert "No file" in refused([])


def test_objects_in_arrays_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", data=np.array([Trap()], dtype=object), sfreq=SFREQ)
    for name in ("a.npy", "a.npz"):
        assert "objects" in refused(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["../evil.edf", "/tmp/evil.edf", "a\\..\\..\\evil.edf", "C:evil.edf"])
def test_a_zip_cannot_write_outside(tmp_path, edf, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, edf.read_bytes())
    assert "leads out" in refused(tmp_path / "a.zip")


def test_a_zip_in_a_zip_and_two_recordings_are_refused(tmp_path, edf):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.write(edf, "a.edf")
    twice = dict.fromkeys(("a.edf", "b.edf"), edf.read_bytes())
    for members, word in (({"a.zip": inner.getvalue()}, "another archive"), (twice, "several")):
        with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        assert word in refused(tmp_path / "outer.zip")


def test_missing_and_short_sidecars(tmp_path, signal):
    vhdr, eeg, vmrk = write_brainvision(tmp_path / "a.vhdr", signal, SFREQ, TEN_TWENTY)
    assert "data file that the header names is missing" in refused([vhdr, vmrk])
    assert "a.eeg" not in refused([vhdr, vmrk])  # which may be a person's name
    assert ".vhdr" in refused([eeg, vmrk])
    same(read([vhdr, eeg]), signal)  # markers are not needed
    eeg.write_bytes(eeg.read_bytes()[:-5])
    assert "shorter" in refused([vhdr, eeg])
    header, fdt = write_eeglab(tmp_path / "b.set", signal, SFREQ, TEN_TWENTY, fdt="b.fdt")
    assert ".fdt file" in refused(header)
    fdt.write_bytes(fdt.read_bytes()[:-4])
    assert "not as long" in refused([header, fdt])


@pytest.mark.parametrize("kept", [1, 100, 255, 256, 300, 5000, 5120, 50_000, 119_119])
def test_a_truncated_edf_is_refused(edf, kept):
    edf.write_bytes(edf.read_bytes()[:kept])
    message = refused(edf)
    assert "cut short" in message or "damaged" in message


@pytest.mark.parametrize(
    ("at", "value"),
    [
        *((252, count) for count in ("9999", "0", "-3", "abcd")),
        *((244, duration) for duration in ("-1", "0", "1e9", "nan")),
        *((236, records) for records in ("99999999", "-7")),
        *((256 + 19 * 216, samples) for samples in ("0", "99999999")),
        *((256 + 19 * 104, "1e999"), (256 + 19 * 120, "?")),
    ],
)
def test_absurd_edf_headers_are_refused(edf, at, value):
    content = bytearray(edf.read_bytes())
    width = 4 if at == 252 else 8
    content[at : at + width] = value.encode().ljust(width)
    edf.write_bytes(content)
    refused(edf)


def test_xml_that_grows_is_refused(tmp_path):
    folder = tmp_path / "a.mff"
    folder.mkdir()
    (folder / "info.xml").write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    assert "XML" in refused(folder)
    (folder / "info.xml").write_text("<a/>")
    assert "damaged" in refused(folder)


# Real files, where a developer has some: the folder that holds eegmat/ and formats/

DEV_DATA = Path(os.environ.get("EEG_COPILOT_DEV_DATA", "/nowhere"))


@pytest.mark.skipif(not DEV_DATA.is_dir(), reason="set EEG_COPILOT_DEV_DATA to a folder of recordings")
@pytest.mark.parametrize(
    ("files", "kind", "shape", "size_uv"),
    [
        (["eegmat/Subject00_1.edf"], "EDF+", (19, 91000), (3, 20)),
        (["formats/eegmmidb/S001R02_repaired.edf"], "EDF+", (64, 9600), (10, 60)),
        (["formats/eeglab/test_data/test.bdf"], "BDF", (16, 15360), (1, 60)),
        (["formats/eeglab/eeglab_data.set", "formats/eeglab/eeglab_data.fdt"], "EEGLAB", (30, 30504), (5, 50)),
        (
            ["formats/openbci/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt"],
            "OpenBCI text",
            (8, 22490),
            (1, 1000),
        ),  # mains hum
    ],
)
def test_real_files(files, kind, shape, size_uv):
    recording = read([DEV_DATA / file for file in files])
    assert (recording.source, recording.data.shape) == (kind, shape)
    steps = np.diff(recording.data[:, :: int(recording.sfreq // 25)])  # at 25 Hz drifts hardly count
    assert size_uv[0] < 1.4826 * np.median(np.abs(steps)) < size_uv[1]


# Whatever a file holds


@pytest.fixture(scope="module")
def small_edf(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "a.edf"
    labels = TEN_TWENTY[:4]
    return write_edf(path, scalp(11, 100, 4), 100, labels, annotations=b"+1\x14x\x14\x00").read_bytes()


SUFFIXES = [
    *(
        ".edf",
        ".bdf",
        ".gdf",
        ".set",
        ".fif",
        ".cnt",
        ".raw",
        ".vhdr",
        ".npy",
        ".npz",
        ".mat",
        ".csv",
        ".zip",
        ".pkl",
        "",
    ),
]
STARTS = [
    *(b"", b"0       ", b"\xffBIOSEMI", b"GDF 2.20", b"GDF 1.25", b"MATLAB 5.0 MAT-file", b"Version 3.0"),
    *(b"\x93NUMPY\x01\x00", b"\x00\x00\x00\x02", b"PK\x03\x04", b"%OpenBCI\n"),
    b"\x00\x00\x00\x64\x00\x00\x00\x1f\x00\x00\x00\x14\x00\x00\x00\x00",
    b"Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\n",
]


def sane_or_refused(path):
    try:
        recording = read([path])
    except RecordingError:
        return
    assert recording.data.dtype == np.float32
    assert np.isfinite(recording.data).all()
    assert recording.seconds >= 10
    assert len(set(recording.channels)) == len(recording.channels) == len(recording.data) >= 4


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 256 * 6), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_a_mutated_edf_header_is_read_or_refused(tmp_path, small_edf, changes):
    content = bytearray(small_edf)
    for at, new in changes:
        content[at : at + len(new)] = new
    path = tmp_path / "mutated.edf"
    path.write_bytes(content)
    sane_or_refused(path)


@settings(max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(SUFFIXES),
    start=st.sampled_from(STARTS),
    rest=st.binary(max_size=2000),
)
def test_random_bytes_are_read_or_refused(tmp_path, suffix, start, rest):
    path = tmp_path / f"random{suffix}"
    path.write_bytes(start + rest)
    sane_or_refused(path)


@settings(max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="0123456789.,;\t\n -eENaAfpCzO%#\"'", max_size=600))
def test_any_text_is_read_or_refused(tmp_path, text):
    path = tmp_path / "any.csv"
    path.write_text(text)
    sane_or_refused(path)


@pytest.mark.reader_faults_expected
def test_a_crash_of_our_own_code_is_logged_and_a_person_gets_a_sentence(tmp_path, monkeypatch, caplog):
    def crash(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("copilot.eeg.formats.detect.recognise_file", crash)
    path = tmp_path / "a.edf"
    path.write_bytes(b"0       ")
    with pytest.raises(RecordingError, match="damaged"):
        read([path])
    assert not caplog.records  # the crash is in this file
    monkeypatch.setattr("copilot.eeg.reader.PACKAGE", Path(__file__).parent)
    with pytest.raises(RecordingError, match="damaged"):
        read([path])
    assert "ZeroDivisionError" in caplog.text
