"""Which of the given files is the recording, and what kind it is, told from its first bytes (see ``open_source``)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from copilot.eeg.recording import RecordingError
from copilot.language import english, sentence

Loaded = tuple[npt.NDArray[np.float32], float, float]
"""Signal, shape (channels, samples); samples a second, Hz; seconds that the whole recording has."""


@dataclass(frozen=True)
class Source:
    """An opened file, before its signal is read.

    Attributes:
        kind: what people call this kind of file.
        labels: every channel's label, as it stands in the file.
        load: (rows, seconds) -> the signal of these channels, at most so many seconds from the start.
        unit_stated: the signal comes in microvolts because the file states its units; else its units are unknown.
        notes: what was found, plain sentences.
        rate_from: where the sampling rate comes from (``english.RATE_STATED`` and its neighbours).
    """

    kind: str
    labels: Sequence[str]
    load: Callable[[Sequence[int], float], Loaded]
    unit_stated: bool
    notes: tuple[str, ...] = field(default=())
    rate_from: str = english.RATE_STATED


_KINDS = {
    b"\xffBIOSEMI": "BDF",
    b"GDF ": "GDF",
    b"\x93NUMPY": "NumPy",
    b"MATLAB 5.0": "MATLAB",
    b"Version 3.0": "CNT",
    b"\x00\x00\x00\x64\x00\x00\x00\x1f": "FIF",
    b"PK": "NumPy",
}
_NOT_READ = {
    b"%PDF": english.FILE_PDF,
    b"\xff\xd8\xff": english.FILE_PICTURE,
    b"\x89PNG": english.FILE_PICTURE,
    b"GIF8": english.FILE_PICTURE,
    b"\x1f\x8b": english.FILE_GZIP,
    b"7z\xbc\xaf": english.FILE_7Z,
    b"Rar!": english.FILE_RAR,
    b"XDF:": english.FILE_XDF,
    b"\x89HDF": english.FILE_HDF5,
    b"MATLAB 7.3": english.FILE_MATLAB_73,
    b"RIFF": english.FILE_RIFF,
}
_SIDECARS = {".eeg", ".dat", ".fdt", ".vmrk", ".json", ".info"}
_NAMED = {".edf": "EDF", ".bdf": "BDF", ".gdf": "GDF", ".fif": "FIF", ".cnt": "CNT"} | {
    ".set": "EEGLAB",
    ".vhdr": "BrainVision",
}
_PICKLES = {".pkl", ".pickle", ".joblib", ".p"}
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml|head|body)", re.IGNORECASE)
_HEAD = 4096


def open_source(files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Find the recording among ``files`` and open it.

    Args:
        files: all that was given, alone in their folder.
        sfreq: samples a second, Hz, as the person states it; channels: names, likewise.

    Raises:
        RecordingError: none or several recordings, or none of a kind that is read.
    """
    from copilot.eeg import arrays, mne_formats, text_formats

    if mff := {parent for path in files for parent in path.parents if parent.suffix.lower() == ".mff"}:
        return mne_formats.open_mff(_only_one(sorted(mff)))
    kinds = {path: recognise(path) for path in files}
    mains = [path for path, kind in kinds.items() if kind not in ("sidecar", "text")]
    path = _only_one(mains or _tables(kinds) or _alone(files))
    kind = kinds[path]
    if kind in ("NumPy", "MATLAB"):
        return arrays.open_array(path, files, sfreq, channels)
    if kind == "text":
        return text_formats.open_text(path, files, sfreq, channels)
    _check_transfer(path)
    return mne_formats.open_mne(path, kind, files)


def recognise(path: Path) -> str:
    """What kind of file it is: a kind that is read, ``text``, or ``sidecar`` (belongs to another file).

    Raises:
        RecordingError: of a kind that is not read, or other than its name says.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    suffix = path.suffix.lower()
    if suffix in _SIDECARS:
        return "sidecar"
    for start, what in _NOT_READ.items():
        if head.startswith(start):
            raise RecordingError(sentence(english.FILE_NOT_READ, what=what, kinds=english.FILE_KINDS))
    if _WEB_PAGE.match(head):
        raise RecordingError(sentence(english.FILE_WEB_PAGE))
    if suffix in _PICKLES or re.match(rb"\x80[\x02-\x05][\x8a-\x95\x63\x7d\x5d\x28\x58\x00}\]]", head):
        raise RecordingError(sentence(english.FILE_PICKLE))
    return _kind(head, suffix)


def _kind(head: bytes, suffix: str) -> str:
    for start, kind in _KINDS.items():
        if head.startswith(start):
            return kind
    if re.match(rb"0 {7}", head) and len(head) >= 256:
        return "EDF"
    if re.match(rb"(\xef\xbb\xbf)?Brain ?Vision( Core| V-Amp)? Data( Exchange)? Header File", head):
        return "BrainVision"
    if suffix == ".raw" and re.match(rb"\x00\x00\x00[\x02-\x07]", head):
        return "EGI"
    if suffix in _NAMED:
        raise RecordingError(sentence(english.FILE_OTHER_THAN_NAMED, suffix=suffix, kind=_NAMED[suffix]))
    if suffix == ".lay" and b"[fileinfo]" in head.lower():
        raise RecordingError(sentence(english.FILE_NOT_READ, what=english.FILE_PERSYST, kinds=english.FILE_KINDS))
    if suffix == ".hea" or re.match(rb"(#.*\n)*\S+ \d+ [\d.]+(/\S+)? \d+[^,;\t]*\r?\n\S+\.dat ", head):
        raise RecordingError(sentence(english.FILE_NOT_READ, what=english.FILE_WFDB, kinds=english.FILE_KINDS))
    if _is_text(head):
        return "text"
    raise RecordingError(sentence(english.FILE_UNKNOWN, kinds=english.FILE_KINDS))


def _is_text(head: bytes) -> bool:
    """Whether the first bytes are text: no control characters, or UTF-16 with or without its mark."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:64:2].count(0) > 24:
        return not any(byte < 32 and byte not in b"\0\t\r\n" for byte in head)
    return not any(byte < 32 and byte not in b"\t\r\n" for byte in head)


def _tables(kinds: dict[Path, str]) -> list[Path]:
    """Text files that can be recordings; notes and BIDS tables beside one do not count."""
    texts = [path for path, kind in kinds.items() if kind == "text"]
    beside = re.compile(r"channels|events|electrodes|notes|readme", re.IGNORECASE)
    return texts if len(texts) == 1 else [path for path in texts if not beside.search(path.stem)]


def _alone(files: Sequence[Path]) -> list[Path]:
    """Say which file is missing beside the sidecars that were given."""
    suffixes = {path.suffix.lower() for path in files}
    if any(path.read_bytes()[:1] == b"\x80" and path.suffix.lower() == ".dat" for path in files):
        raise RecordingError(sentence(english.FILE_PICKLE))
    if ".fdt" in suffixes:
        raise RecordingError(sentence(english.NO_SET))
    if suffixes & {".eeg", ".dat", ".vmrk"}:
        raise RecordingError(sentence(english.NO_VHDR))
    raise RecordingError(sentence(english.NO_RECORDING_AMONG, kinds=english.FILE_KINDS))


def _only_one(candidates: Sequence[Path]) -> Path:
    if len(candidates) != 1:
        raise RecordingError(sentence(english.SEVERAL_RECORDINGS))
    return candidates[0]


def _check_transfer(path: Path) -> None:
    """A binary file in which every line feed follows a carriage return went through a transfer in text mode."""
    with path.open("rb") as file:
        content = file.read(2**22)
    feeds = content.count(b"\n")
    if feeds >= 64 and content.count(b"\r\n") == feeds and b"\0" in content:
        raise RecordingError(sentence(english.FILE_TEXT_MODE))
