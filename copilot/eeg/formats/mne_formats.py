"""Read the formats that MNE reads as they are: FIF, GDF, Neuroscan CNT and EGI; and signals that MNE has opened.

The list of tags in a FIF file is checked before MNE follows it (see ``check_tags``): a reader of a list that leads back
never ends. A tag is kind, type, size and next, four big-endian integers, and then its content; ``next`` is the place
of the tag that follows: 0 means right behind this one, -1 that there is none.
"""

import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import mne
import numpy as np
import numpy.typing as npt

from copilot.eeg import units
from copilot.eeg.electrodes import drop_bad_channels
from copilot.eeg.types import DamagedFileError, Loaded, RecordingError, Source
from copilot.i18n import N_, messages

BLOCK_S = 60
"""Seconds read at once: MNE reads 64-bit numbers, of which a long recording would fill the memory."""

_HEAD = struct.Struct(">iIii")
_DIRECTORY_POINTER, _DIRECTORY = 101, 102
_REFERENCE_ROLE = 115
_FIRST_SAMPLE = 208
_PREVIOUS_FILE, _NEXT_FILE = 1, 2


def open_plain(path: Path, kind: str) -> Source:
    """Open a recording of kind ``GDF``, ``CNT`` or ``EGI``."""
    reader = {"GDF": mne.io.read_raw_gdf, "CNT": mne.io.read_raw_cnt, "EGI": mne.io.read_raw_egi}[kind]
    return _make_source(reader(path, verbose="ERROR"), {"CNT": "Neuroscan CNT"}.get(kind, kind))


def open_mff(folder: Path) -> Source:
    """Open an EGI .mff, which is a folder of XML and signal files.

    Raises:
        RecordingError: damaged, incomplete, or with XML that defines entities, which can grow without bound.
    """
    for file in folder.rglob("*.xml"):
        content = file.read_bytes()
        if b"<!ENTITY" in content or b"<!DOCTYPE" in content or b"\0" in content:  # zero bytes: UTF-16 could hide them
            raise RecordingError(N_("The .mff holds XML that is not EGI's; export it again."))
    try:
        return _make_source(mne.io.read_raw_egi(folder, verbose="ERROR"), "EGI")
    except MemoryError:
        raise
    except Exception as error:
        raise RecordingError(N_(messages.KIND_DAMAGED, kind="EGI .mff")) from error


def _make_source(raw: Any, kind: str, notes: tuple[str, ...] = ()) -> Source:
    return Source(kind, raw.ch_names, partial(load_channels, raw), unit_stated=True, notes=notes)


def load_channels(raw: Any, rows: Sequence[int], seconds: float, stated: Sequence[str] | None = None) -> Loaded:
    """Read channels of an open recording in blocks, in microvolts.

    Args:
        raw: an ``mne.io.Raw``.
        rows: places of the channels.
        seconds: the longest stretch that is read, from the start.
        stated: units of these channels in a file that MNE read as if all of them were microvolts.
    """
    sfreq = float(raw.info["sfreq"])
    n = min(raw.n_times, round(seconds * sfreq))
    data = np.empty((len(rows), n), dtype=np.float32)
    block = max(1, round(BLOCK_S * sfreq))
    for start in range(0, n, block):
        stop = min(n, start + block)
        data[:, start:stop] = raw.get_data(picks=list(rows), start=start, stop=stop, verbose="ERROR") * 1e6
    factors = units.find_factors(stated)[0] if stated else None
    if factors is not None and set(factors) != {1.0}:
        data *= np.array(factors, dtype=np.float32)[:, None]
    return data, sfreq, raw.n_times / sfreq


class TagError(DamagedFileError):
    """The tags of a file lead out of it, or back."""


@dataclass(frozen=True)
class Part:
    """One file of a recording.

    Attributes:
        has_previous: whether it states that a part comes before it.
        next_roles: where it states that a part comes after it, bytes from the start.
        first_sample: the number of its first sample.
    """

    has_previous: bool
    next_roles: tuple[int, ...]
    first_sample: int


def check_tags(path: Path) -> Part:
    """Follow the tags from the start: each place once, each content inside the file.

    Raises:
        TagError: they lead elsewhere, or content is cut short.
    """
    has_previous, next_roles, first = False, [], 0
    size = path.stat().st_size
    with path.open("rb") as file:
        for kind, at, length in _read_tags(file, size):
            if kind in (_REFERENCE_ROLE, _FIRST_SAMPLE, _DIRECTORY_POINTER) and length == 4:
                file.seek(at)
                value = int.from_bytes(file.read(4), "big", signed=True)
                if kind == _REFERENCE_ROLE:
                    has_previous |= value == _PREVIOUS_FILE
                    next_roles += [at] if value == _NEXT_FILE else []
                elif kind == _FIRST_SAMPLE:
                    first = value
                elif value > 0:
                    _check_directory(file, value, size)
    return Part(has_previous, tuple(next_roles), first)


def write_without_next(path: Path, part: Part, copy: Path) -> Path:
    """Copy a file without the name of the part after it: readers would open whatever name is written there.

    Args:
        path: the file.
        part: what its tags state.
        copy: where to write the copy, which is returned.
    """
    shutil.copyfile(path, copy)  # the original may be linked here, and must not be written to
    with copy.open("r+b") as file:
        for at in part.next_roles:
            file.seek(at)
            file.write(_PREVIOUS_FILE.to_bytes(4, "big"))
    return copy


def _read_tags(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, place and length of the content) of each tag.

    Raises:
        TagError: the tags lead back or out of the file, or content is cut short.
    """
    at, seen = 0, set()
    while at + _HEAD.size <= size:
        if at in seen:
            raise TagError("the list leads back")
        seen.add(at)
        file.seek(at)
        kind, _, length, following = _HEAD.unpack(file.read(_HEAD.size))
        content = at + _HEAD.size
        if length < 0 or content + length > size:
            raise TagError("content is cut short")
        yield kind, content, length
        if following == -1:
            return
        if following < -1 or following >= size:
            raise TagError("the list leads out of the file")
        at = following or content + length


def _check_directory(file: BinaryIO, at: int, size: int) -> None:
    """Check the list of all tags at the end of a file, from which readers go to each: kind, type, size and place.

    Raises:
        TagError: it is cut short or leads out of the file.
    """
    file.seek(at)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return  # readers then follow the tags themselves
    kind, _, length, _ = _HEAD.unpack(head)
    if kind != _DIRECTORY or length < 0 or at + _HEAD.size + length > size:
        raise TagError("the directory is cut short")
    entries = file.read(length // _HEAD.size * _HEAD.size)
    for _, _, length, place in _HEAD.iter_unpack(entries):
        if place >= 0 and (length < 0 or place + _HEAD.size + length > size):
            raise TagError("the directory leads out of the file")


def open_fif_parts(paths: Sequence[Path]) -> Source:
    """Open a continuous recording that was written in several FIF files, whatever they are called now.

    Raises:
        RecordingError: damaged, of several recordings, or one of the parts is missing.
    """
    try:
        parts = sorted((check_tags(path).first_sample, path) for path in paths)
        raws, ends = [], []
        for number, (_, path) in enumerate(parts):
            part = check_tags(path)
            ends.append((part.has_previous, bool(part.next_roles)))
            raws.append(_read_fif(path, part, f"part{number}_raw.fif"))
    except MemoryError:
        raise
    except Exception as error:
        raise RecordingError(N_(messages.KIND_DAMAGED, kind="FIF")) from error
    if not any(before or after for before, after in ends) or len({tuple(raw.ch_names) for raw in raws}) > 1:
        raise RecordingError(messages.SEVERAL_RECORDINGS)
    follows = all(one.last_samp + 1 == two.first_samp for one, two in pairwise(raws))
    if ends[0][0] or ends[-1][1] or not follows:
        raise RecordingError(
            N_("These are parts of one recording, and not all of them; give all its .fif files together.")
        )
    joined = mne.concatenate_raws(raws, verbose="ERROR")
    return _make_fif_source(
        joined, N_("The recording was written in {count} files, which were joined in their order.", count=len(raws))
    )


def open_fif(path: Path) -> Source:
    """Open continuous data, or epochs, which are joined."""
    part = check_tags(path)
    notes = (
        [N_("This file is one part of a recording that was written in several; only it was read.")]
        if part.has_previous or part.next_roles
        else []
    )
    try:
        return _make_fif_source(_read_fif(path, part, "plain_raw.fif"), *notes)
    except ValueError:
        path = write_without_next(path, part, path.with_name("plain-epo.fif"))
        epochs = mne.read_epochs(path, proj=False, preload=True, verbose="ERROR")
        joined: npt.NDArray[np.float64] = np.concatenate(list(epochs.get_data(copy=False)), axis=1)
        raw = mne.io.RawArray(joined, epochs.info, verbose="ERROR")
        return _make_fif_source(raw, *notes, N_(messages.NOTE_EPOCHS, count=len(epochs)))


def _read_fif(path: Path, part: Part, name: str) -> Any:
    if part.next_roles:
        path = write_without_next(path, part, path.with_name(name))
    return mne.io.read_raw_fif(path, on_split_missing="ignore", verbose="ERROR")


def _make_fif_source(raw: Any, *notes: str) -> Source:
    return drop_bad_channels(_make_source(raw, "FIF", notes), raw.info["bads"])
