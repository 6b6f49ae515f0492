"""FIF: recordings in parts, lists of tags that never end, electrodes marked as bad."""

import mne
import numpy as np
import pytest

from copilot.eeg.formats import mne_formats
from copilot.eeg.reader import read
from copilot.eeg.recording_files import find_recording_files, find_recordings
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import TEN_TWENTY, scalp

SFREQ = 250


@pytest.fixture(scope="module")
def signal():
    return scalp(120, SFREQ)


def written(folder, signal, name="a_raw.fif", bads=(), **options):
    info = mne.create_info(list(TEN_TWENTY), SFREQ, "eeg")
    info["bads"] = list(bads)
    mne.io.RawArray(signal / 1e6, info, verbose="ERROR").save(folder / name, verbose="ERROR", **options)
    return sorted(folder.glob("*.fif"))


@pytest.fixture
def parts(tmp_path, signal):
    made = written(tmp_path, signal, split_size="2.1MB", buffer_size_sec=2, fmt="double")
    assert len(made) > 2
    return [tmp_path / "a_raw.fif", *(part for part in made if part.name != "a_raw.fif")]


def test_parts_are_one_recording_whatever_they_are_called(parts, signal, tmp_path):
    recording = read(parts)
    np.testing.assert_allclose(recording.data, signal, atol=1e-3)
    assert f"{len(parts)} files" in recording.notes[0]
    renamed = [part.rename(tmp_path / f"{name}.fif") for part, name in zip(parts, "zyxwvuts", strict=False)]
    np.testing.assert_allclose(read(renamed).data, signal, atol=1e-3)


def test_missing_parts_are_told(parts):
    for alone in (parts[0], parts[-1]):
        recording = read([alone])
        assert recording.seconds < 120
        assert "one part" in recording.notes[0]


def test_two_recordings_are_no_parts(tmp_path, signal):
    files = [*written(tmp_path, signal[:, :5000], "a_raw.fif"), *written(tmp_path, signal[:, :5000], "b_raw.fif")]
    with pytest.raises(RecordingError, match="several recordings"):
        read(sorted(set(files)))


def test_a_part_never_opens_what_is_beside_it(parts, signal):
    """A header can name any file; only what was given is read."""
    before = [part.read_bytes() for part in parts]
    read([parts[0]])
    assert [part.read_bytes() for part in parts] == before


@pytest.mark.parametrize("bids", [False, True])
def test_a_folder_lists_a_recording_in_parts_once(tmp_path, bids):
    names = ["s_split-01_raw.fif", "s_split-02_raw.fif"] if bids else ["a_raw.fif", "a_raw-1.fif", "a_raw-2.fif"]
    for name in [*names, "b-1.fif"]:
        (tmp_path / name).write_bytes(b"x")
    assert find_recordings(tmp_path) == sorted([tmp_path / names[0], tmp_path / "b-1.fif"])
    assert find_recording_files(tmp_path / names[0]) == tuple(tmp_path / name for name in names[:1] + sorted(names[1:]))


def tags(path):
    """(place, kind, next) of every tag."""
    content, at, found = path.read_bytes(), 0, []
    while True:
        kind, _, size, following = mne_formats._HEAD.unpack_from(content, at)
        found.append((at, kind, following))
        if following == -1 or at + 16 + size >= len(content):
            return found
        at = following or at + 16 + size


@pytest.mark.parametrize("where", ["itself", "start", "outside", "before"])
def test_tags_that_lead_back_or_out_are_refused_at_once(tmp_path, signal, where):
    path = written(tmp_path, signal[:, :5000])[0]
    places = [at for at, _, _ in tags(path)]
    at = places[len(places) // 2]
    following = {"itself": at, "start": places[1], "outside": 10**8, "before": -5}[where]
    content = bytearray(path.read_bytes())
    content[at + 12 : at + 16] = following.to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    with pytest.raises(mne_formats.TagError):
        mne_formats.check_tags(path)
    with pytest.raises(RecordingError, match="damaged"):
        read([path])


def test_electrodes_marked_as_bad_are_left_out(tmp_path, signal):
    path = written(tmp_path, signal[:, :5000], bads=["O1", "Fz"])[0]
    recording = read([path])
    assert "Fz and O1" in recording.notes[0] or "Fz, O1" in recording.notes[0]
    assert set(TEN_TWENTY) - set(recording.channels) == {"Fz", "O1"}
    np.testing.assert_allclose(recording.data[-1], signal[-1, :5000], atol=1e-3)
