"""Formats that MNE reads: EDF, BDF, GDF, BrainVision, FIF, Neuroscan CNT and EGI (see ``open_mne``)."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from copilot.eeg import edf_header, montage
from copilot.eeg.formats import Loaded, Source
from copilot.eeg.recording import RecordingError
from copilot.language import english, sentence

BLOCK_S = 60
"""Seconds read at once: MNE reads 64-bit numbers, of which a long recording would fill the memory."""

_SUFFIXES = {"EDF": ".edf", "BDF": ".bdf", "GDF": ".gdf", "CNT": ".cnt", "EGI": ".raw"} | {
    "BrainVision": ".vhdr",
    "FIF": "_raw.fif",
}
_WIDTHS = {"INT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}


def open_mne(path: Path, kind: str, files: Sequence[Path]) -> Source:
    """Open a recording.

    Args:
        path: the file, in a folder of its own, where it takes a neutral name with the suffix that MNE wants.
        kind: as ``formats.recognise`` says.
        files: what was given with it.

    Raises:
        RecordingError: damaged, cut short or incomplete.
    """
    data_files = [file for file in files if file.suffix.lower() not in (".vhdr", ".vmrk", ".json", ".tsv", ".txt")]
    path = path.rename(path.with_name(f"recording{_SUFFIXES[kind]}"))
    try:
        if kind in ("EDF", "BDF"):
            return _open_edf(path, kind)
        if kind == "BrainVision":
            return _open_brainvision(path, data_files)
        if kind == "FIF":
            return _open_fif(path)
        reader = {"GDF": mne.io.read_raw_gdf, "CNT": mne.io.read_raw_cnt, "EGI": mne.io.read_raw_egi}[kind]
        return _source(reader(path, verbose="ERROR"), {"CNT": "Neuroscan CNT"}.get(kind, kind))
    except (RecordingError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(kind) from error


def open_mff(folder: Path) -> Source:
    """Open an EGI .mff, which is a folder of XML and signal files.

    Raises:
        RecordingError: damaged, incomplete, or with XML that defines entities, which can grow without bound.
    """
    for file in folder.rglob("*.xml"):
        content = file.read_bytes()
        if b"<!ENTITY" in content or b"<!DOCTYPE" in content or b"\0" in content:  # zero bytes: UTF-16 could hide them
            raise RecordingError(sentence(english.MFF_XML))
    try:
        return _source(mne.io.read_raw_egi(folder, verbose="ERROR"), "EGI")
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged("EGI .mff") from error


def _damaged(kind: str) -> RecordingError:
    return RecordingError(sentence(english.KIND_DAMAGED, kind=kind))


def _source(raw: Any, kind: str, notes: tuple[str, ...] = ()) -> Source:
    return Source(kind, raw.ch_names, partial(_load, raw), unit_stated=True, notes=notes)


def _load(raw: Any, rows: Sequence[int], seconds: float) -> Loaded:
    """Read channels of an open recording in blocks."""
    sfreq = float(raw.info["sfreq"])
    n = min(raw.n_times, round(seconds * sfreq))
    data = np.empty((len(rows), n), dtype=np.float32)
    block = max(1, round(BLOCK_S * sfreq))
    for start in range(0, n, block):
        stop = min(n, start + block)
        data[:, start:stop] = raw.get_data(picks=list(rows), start=start, stop=stop, verbose="ERROR") * 1e6
    return data, sfreq, raw.n_times / sfreq


def _open_edf(path: Path, kind: str) -> Source:
    header = edf_header.read_header(path, kind)
    read = mne.io.read_raw_edf if kind == "EDF" else mne.io.read_raw_bdf
    notes = list(header.notes)
    wanted = montage.find_electrodes(header.labels).rows
    if wanted and not header.record_s:
        raise edf_header.damaged(english.HEADER_NO_TIME)
    rates = sorted({header.samples[row] / header.record_s for row in wanted})
    if len(rates) > 1:
        notes.append(sentence(english.NOTE_RATES, rate=rates[-1]))
    load = partial(_load_edf, partial(read, path, verbose="ERROR"), header.labels)
    return Source(header.kind, header.labels, load, unit_stated=True, notes=tuple(notes))


def _load_edf(read: Callable[..., Any], labels: Sequence[str], rows: Sequence[int], seconds: float) -> Loaded:
    """Open only the electrodes: the rest may be faster, and annotations hold free text."""
    wanted = {labels[row] for row in rows}
    left = [row for row, label in enumerate(labels) if label in wanted]
    raw = read(exclude=sorted(set(labels) - wanted))
    return _load(raw, [left.index(row) for row in rows], seconds)


def _open_brainvision(path: Path, data_files: Sequence[Path]) -> Source:
    header = path.read_text(encoding="latin-1")
    data, notes = _brainvision_data(header, data_files)
    _check_brainvision_length(header, data.stat().st_size)
    overrides = {"data_fname": data.name, "marker_fname": False}  # markers are free text
    return _source(mne.io.read_raw_brainvision(path, overrides=overrides, verbose="ERROR"), "BrainVision", notes)


def _brainvision_data(header: str, data_files: Sequence[Path]) -> tuple[Path, tuple[str, ...]]:
    """The file that the header names, or the only one that is there: people rename files, and not what is in them."""
    named = PureWindowsPath(_entry(header, "DataFile").replace("/", "\\")).name
    for file in data_files:
        if file.name == named:
            return file, ()
    likely = [file for file in data_files if file.suffix.lower() in (".eeg", ".dat")]
    if len(likely) == 1:
        return likely[0], (sentence(english.NOTE_DATA_FILE),)
    raise RecordingError(sentence(english.NO_DATA_FILE))  # its name may be a person's


def _check_brainvision_length(header: str, size: int) -> None:
    width = _WIDTHS.get(_entry(header, "BinaryFormat").upper(), 0)
    channels, points = (re.fullmatch(r"\d{1,12}", _entry(header, key)) for key in ("NumberOfChannels", "DataPoints"))
    if not width or not channels or int(channels[0]) == 0:
        return
    row = width * int(channels[0])
    if size % row or (points and size < row * int(points[0])):
        raise RecordingError(sentence(english.DATA_FILE_SHORT))


def _entry(header: str, key: str) -> str:
    found = re.search(rf"(?im)^\s*{key}\s*=\s*(.*?)\s*$", header)
    return found[1] if found else ""


def _open_fif(path: Path) -> Source:
    """Continuous data, or epochs, which are joined."""
    try:
        return _source(mne.io.read_raw_fif(path, on_split_missing="ignore", verbose="ERROR"), "FIF")
    except ValueError:
        epochs = mne.read_epochs(path, proj=False, preload=True, verbose="ERROR")
        joined: npt.NDArray[np.float64] = np.concatenate(list(epochs.get_data(copy=False)), axis=1)
        raw = mne.io.RawArray(joined, epochs.info, verbose="ERROR")
        return _source(raw, "FIF", (sentence(english.NOTE_EPOCHS, count=len(epochs)),))
