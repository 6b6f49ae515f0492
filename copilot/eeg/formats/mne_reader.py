"""Read the formats that MNE reads: EDF, BDF, GDF, BrainVision, FIF, Neuroscan CNT and EGI (see ``open_mne``)."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from copilot.eeg import channel_names, unit_names
from copilot.eeg.channel_names import drop_bad_channels
from copilot.eeg.formats import brainvision, edf_header, fif_tags
from copilot.eeg.types import Loaded, RecordingError, Source
from copilot.i18n import N_, messages

BLOCK_S = 60
"""Seconds read at once: MNE reads 64-bit numbers, of which a long recording would fill the memory."""

_SUFFIXES = {"EDF": ".edf", "BDF": ".bdf", "GDF": ".gdf", "CNT": ".cnt", "EGI": ".raw"} | {
    "BrainVision": ".vhdr",
    "FIF": "_raw.fif",
}


def open_mne(path: Path, kind: str, files: Sequence[Path]) -> Source:
    """Open a recording.

    Args:
        path: the file, in a folder of its own, where it gets a neutral name with the suffix that MNE expects.
        kind: as ``detect.recognise_file`` returns it.
        files: what was given with it.

    Raises:
        RecordingError: damaged, cut short or incomplete.
    """
    path = path.rename(path.with_name(f"recording{_SUFFIXES[kind]}"))
    try:
        if kind in ("EDF", "BDF"):
            return _open_edf(path, kind)
        if kind == "BrainVision":
            return _open_brainvision(path, [file for file in files if file.suffix.lower() != ".vhdr"])
        if kind == "FIF":
            return _open_fif(path)
        reader = {"GDF": mne.io.read_raw_gdf, "CNT": mne.io.read_raw_cnt, "EGI": mne.io.read_raw_egi}[kind]
        return _make_source(reader(path, verbose="ERROR"), {"CNT": "Neuroscan CNT"}.get(kind, kind))
    except (RecordingError, MemoryError):
        raise
    except Exception as error:
        raise _make_damaged_error(kind) from error


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
        raise _make_damaged_error("EGI .mff") from error


def _make_damaged_error(kind: str) -> RecordingError:
    return RecordingError(N_(messages.KIND_DAMAGED, kind=kind))


def _make_source(raw: Any, kind: str, notes: tuple[str, ...] = ()) -> Source:
    return Source(kind, raw.ch_names, partial(_load_channels, raw), unit_stated=True, notes=notes)


def _load_channels(raw: Any, rows: Sequence[int], seconds: float) -> Loaded:
    """Read channels of an open recording in blocks, in microvolts.

    Args:
        raw: an ``mne.io.Raw``.
        rows: places of the channels.
        seconds: the longest stretch that is read, from the start.
    """
    sfreq = float(raw.info["sfreq"])
    n = min(raw.n_times, round(seconds * sfreq))
    data = np.empty((len(rows), n), dtype=np.float32)
    block = max(1, round(BLOCK_S * sfreq))
    for start in range(0, n, block):
        stop = min(n, start + block)
        data[:, start:stop] = raw.get_data(picks=list(rows), start=start, stop=stop, verbose="ERROR") * 1e6
    return data, sfreq, raw.n_times / sfreq


def _apply_units(loaded: Loaded, factors: Sequence[float] | None) -> Loaded:
    """Scale numbers that were read as if they were microvolts by the factors of their own units."""
    data, sfreq, seconds = loaded
    if factors is not None and set(factors) != {1.0}:
        data *= np.array(factors, dtype=np.float32)[:, None]
    return data, sfreq, seconds


def _open_edf(path: Path, kind: str) -> Source:
    header = edf_header.read_header(path, kind)
    notes = list(header.notes)
    wanted = channel_names.find_electrodes(header.labels).rows
    if wanted and not header.record_s:
        raise edf_header.make_damaged_error(N_("its records last no time"))
    header.check_range(wanted)
    rates = sorted({header.samples[row] / header.record_s for row in wanted})
    if len(rates) > 1:
        notes.append(N_("Channels have different sampling rates; all were brought to {rate:g} Hz.", rate=rates[-1]))
    factors, unit_notes = unit_names.find_factors([header.units[row] for row in wanted])
    if wanted:
        notes += unit_notes
    load = partial(_load_edf, path, header)
    return Source(header.kind, header.labels, load, unit_stated=factors is not None, notes=tuple(notes))


def _load_edf(path: Path, header: edf_header.EdfHeader, rows: Sequence[int], seconds: float) -> Loaded:
    """Open only the electrodes: the rest may be faster, and annotations contain free text.

    The reader gets unambiguous labels; those of the file may contain NUL or occur twice.

    Args:
        path: the file.
        header: its header, as read.
        rows: places of the channels.
        seconds: the longest stretch that is read, from the start.
    """
    copy = path.with_name(f"plain{path.suffix}")
    names = edf_header.write_plain_copy(path, header, copy)
    read = mne.io.read_raw_bdf if header.kind.startswith("BDF") else mne.io.read_raw_edf
    wanted = [names[row] for row in rows]
    raw = read(copy, include=wanted, verbose="ERROR")
    factors, _ = unit_names.find_factors([header.units[row] for row in rows])
    return _apply_units(_load_channels(raw, [raw.ch_names.index(name) for name in wanted], seconds), factors)


def _open_brainvision(path: Path, files: Sequence[Path]) -> Source:
    found = brainvision.prepare_header(path, files)
    overrides = {"data_fname": found.data.name, "marker_fname": False}  # markers are free text
    raw = mne.io.read_raw_brainvision(found.header, overrides=overrides, verbose="ERROR")
    if tuple(raw.ch_names) != found.names:
        raise _make_damaged_error("BrainVision")
    wanted = channel_names.find_electrodes(found.labels).rows
    factors, unit_notes = unit_names.find_factors([found.units[row] for row in wanted])

    def load(rows: Sequence[int], seconds: float) -> Loaded:
        return _apply_units(
            _load_channels(raw, rows, seconds), unit_names.find_factors([found.units[row] for row in rows])[0]
        )

    notes = (*found.notes, *(unit_notes if wanted else ()))
    return Source("BrainVision", found.labels, load, unit_stated=factors is not None, notes=notes)


def open_fif_parts(paths: Sequence[Path]) -> Source:
    """Open a continuous recording that was written in several FIF files, whatever they are called now.

    Raises:
        RecordingError: damaged, of several recordings, or one of the parts is missing.
    """
    try:
        parts = sorted((fif_tags.check_tags(path).first_sample, path) for path in paths)
        raws, ends = [], []
        for number, (_, path) in enumerate(parts):
            part = fif_tags.check_tags(path)
            ends.append((part.has_previous, bool(part.next_roles)))
            raws.append(_read_fif(path, part, f"part{number}_raw.fif"))
    except MemoryError:
        raise
    except Exception as error:
        raise _make_damaged_error("FIF") from error
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


def _open_fif(path: Path) -> Source:
    """Open continuous data, or epochs, which are joined."""
    part = fif_tags.check_tags(path)
    notes = (
        [N_("This file is one part of a recording that was written in several; only it was read.")]
        if part.has_previous or part.next_roles
        else []
    )
    try:
        return _make_fif_source(_read_fif(path, part, "plain_raw.fif"), *notes)
    except ValueError:
        path = fif_tags.write_without_next(path, part, path.with_name("plain-epo.fif"))
        epochs = mne.read_epochs(path, proj=False, preload=True, verbose="ERROR")
        joined: npt.NDArray[np.float64] = np.concatenate(list(epochs.get_data(copy=False)), axis=1)
        raw = mne.io.RawArray(joined, epochs.info, verbose="ERROR")
        return _make_fif_source(raw, *notes, N_(messages.NOTE_EPOCHS, count=len(epochs)))


def _read_fif(path: Path, part: fif_tags.Part, name: str) -> Any:
    if part.next_roles:
        path = fif_tags.write_without_next(path, part, path.with_name(name))
    return mne.io.read_raw_fif(path, on_split_missing="ignore", verbose="ERROR")


def _make_fif_source(raw: Any, *notes: str) -> Source:
    return drop_bad_channels(_make_source(raw, "FIF", notes), raw.info["bads"])
