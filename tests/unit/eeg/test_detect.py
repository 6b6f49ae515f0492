"""Files that are not read are told by the name of their maker, and how to bring them along."""

import pickle

import numpy as np
import pytest

from copilot.eeg.reader import read
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_brainvision, write_edf, write_eeglab


def refused(*paths) -> str:
    with pytest.raises(RecordingError) as info:
        read(list(paths))
    return str(info.value)


@pytest.mark.parametrize(
    ("name", "content", "maker"),
    [
        ("a.EEG", b"EEG-1100A V01.00" + bytes(3000), "Nihon Kohden"),
        ("a.eeg", b"QI-403A   V01.00" + bytes(3000), "Nihon Kohden"),
        ("a.lay", b"[FileInfo]\nFile=a.dat\nFileType=Interleaved\nSamplingRate=256\n", "Persyst"),
        ("a.hea", b"a 2 250 10000\na.dat 16 200 16 0 0 0 0 Fp1\n", "WFDB"),
        ("a.TRC", b"* MICROMED  Brain-Quick file *" + bytes(3000), "Micromed"),
        ("a.e", bytes(range(256)) * 20, "Nicolet"),
        ("a.cdt", bytes(range(256)) * 20, "Curry"),
        ("a.dap", b"DATA FORMAT START\n   NumSamples = 10\n", "Curry"),
        ("a.sdy", bytes(range(256)) * 20, "Compumedics"),
        ("a.sig", bytes(range(256)) * 20, "Stellate"),
        ("a.eeg", b"Version 3.0" + bytes(3000), "Neuroscan epochs"),
        ("a.avr", b"Npts= 10 TSB= 0 DI= 4 SB= 1 SC= 1\n1 2 3\n", "BESA"),
        ("a.ncs", b"######## Neuralynx Data File Header" + bytes(3000), "Neuralynx"),
        ("a.dat", b"BCI2000V= 1.1 HeaderLen= 30 " + bytes(3000), "BCI2000"),
        ("a.parquet", b"PAR1" + bytes(3000), "Parquet"),
        ("a.cnt", b"RIFF" + bytes(3000), "ANT"),
        ("a.xdf", b"XDF:" + bytes(3000), "XDF"),
        ("a.hdf5", b"\x89HDF\r\n\x1a\n" + bytes(3000), "HDF5"),
    ],
)
def test_the_maker_is_named_with_the_way_out(tmp_path, name, content, maker):
    (tmp_path / name).write_bytes(content)
    message = refused(tmp_path / name)
    assert maker in message
    assert "EDF" in message


@pytest.mark.parametrize(("header", "maker"), [("a.lay", "Persyst"), ("a.hea", "WFDB"), ("a.dap", "Curry")])
def test_with_its_data_file_too(tmp_path, header, maker):
    (tmp_path / header).write_text("[Part]\nsome = words\n")
    (tmp_path / "a.dat").write_bytes(bytes(range(256)) * 20)
    assert maker in refused(tmp_path / header, tmp_path / "a.dat")


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["a.dat", "a.bin", "a.txt"])
@pytest.mark.parametrize("content", [{"data": [1.0]}, [1, 2], np.ones(3)])
def test_pickles_of_every_protocol_are_never_opened(tmp_path, protocol, name, content):
    (tmp_path / name).write_bytes(pickle.dumps(content, protocol=protocol))
    assert "pickles" in refused(tmp_path / name)


def test_places_and_other_files_beside_a_recording_do_not_matter(tmp_path):
    signal = scalp(12, 128)
    files = write_eeglab(tmp_path / "a.set", signal, 128, TEN_TWENTY)
    (tmp_path / "a.avr").write_text("Npts= 10\n1 2 3\n")
    np.testing.assert_allclose(read([*files, tmp_path / "a.avr"]).data, signal, atol=1e-3)
    named = write_brainvision(tmp_path / "b.vhdr", signal, 128, TEN_TWENTY)
    assert read([*named, tmp_path / "a.avr"]).source == "BrainVision"
    assert read([write_edf(tmp_path / "b.sig", signal, 128, TEN_TWENTY)]).source == "EDF"
