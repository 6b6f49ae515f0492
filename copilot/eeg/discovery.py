"""Find the recordings of a folder, and the files that make up each of them (see ``find_recordings``)."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

#: The formats that BIDS accepts for EEG (Pernet et al. 2019, Sci Data 6:103).
BIDS_SUFFIXES = (".edf", ".bdf", ".vhdr", ".set")
SUFFIXES = (*BIDS_SUFFIXES, ".gdf", ".fif", ".cnt", ".mff", ".raw", ".csv", ".txt", ".npy", ".npz", ".mat", ".zip")
_COMPANIONS = {".vhdr": (".eeg", ".dat", ".vmrk"), ".set": (".fdt",)}
_LATER_PART = re.compile(r"(?i)(?P<first>.+)-\d{1,3}\.fif|(?P<before>.+_split-)(?!0*1_)\d+(?P<after>_.+\.fif)")
"""How the second and later parts of a recording in FIF are named: by Neuromag and MNE, and in BIDS."""
_NOTES = re.compile(r"channels|events|electrodes|participants|notes|readme|licen[cs]e", re.IGNORECASE)


def find_recordings(folder: Path, leave_out: Collection[Path] = ()) -> list[Path]:
    """Return the main file of every recording, sorted: those of a BIDS folder, else every file named like a recording.

    A link counts even if its target is missing, so that a recording that was not fetched is reported.

    Args:
        folder: is searched with all its subfolders but hidden and linked ones.
        leave_out: files and folders that contain no recordings.
    """
    return find_bids_recordings(folder) or sorted(_search_folder(folder, {path.resolve() for path in leave_out}))


def find_bids_recordings(folder: Path) -> list[Path]:
    """Return ``sub-*/**/*_eeg.{edf,bdf,vhdr,set}``, sorted."""
    return sorted(path for path in folder.glob("sub-*/**/*_eeg.*") if path.suffix.lower() in BIDS_SUFFIXES)


def find_recording_files(path: Path) -> tuple[Path, ...]:
    """Return a recording and the existing files that belong to it by their names.

    These are the files that its header names (BrainVision, EEGLAB), further parts (FIF) and BIDS's table of channels.
    """
    companions = [path.with_suffix(suffix) for suffix in _COMPANIONS.get(path.suffix.lower(), ())]
    if path.stem.endswith("_eeg"):
        companions.append(path.with_name(path.stem.removesuffix("_eeg") + "_channels.tsv"))
    if path.suffix.lower() == ".fif":
        companions += sorted(p for p in path.parent.glob("*.fif") if p != path and _find_first_part(p) == path)
    return (path, *(p for p in companions if p.is_file()))


def _find_first_part(path: Path) -> Path | None:
    """Return the existing file that begins the recording of which ``path`` is a later part by its name, or None."""
    found = _LATER_PART.fullmatch(path.name)
    if not found:
        return None
    names = (
        [f"{found['first']}.fif"] if found["first"] else [f"{found['before']}{n}{found['after']}" for n in ("01", "1")]
    )
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def _search_folder(folder: Path, leave_out: set[Path]) -> Iterator[Path]:
    """Yield the files of a folder that are named like recordings."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        packages = [name for name in folders if Path(name).suffix.lower() == ".mff"]  # one recording each
        yield from (here / name for name in packages)
        kept = (name for name in folders if name not in packages and not name.startswith((".", "__MACOSX")))
        folders[:] = [name for name in kept if (here / name).resolve() not in leave_out]
        paths = (here / name for name in files if not name.startswith("."))
        yield from (path for path in paths if _has_recording_name(path) and path.resolve() not in leave_out)


def _has_recording_name(path: Path) -> bool:
    """Return whether a file is named like a recording, and not like a later part of one or like notes beside one."""
    suffix = path.suffix.lower()
    if suffix == ".fif" and _find_first_part(path):
        return False
    return suffix in SUFFIXES and not (suffix in (".csv", ".txt") and _NOTES.search(path.stem))
