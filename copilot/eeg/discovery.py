"""Which files of a folder are recordings, and which files make up one (see ``recordings``)."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

#: What BIDS takes EEG to be (Pernet et al. 2019, Sci Data 6:103).
BIDS_SUFFIXES = (".edf", ".bdf", ".vhdr", ".set")
SUFFIXES = (*BIDS_SUFFIXES, ".gdf", ".fif", ".cnt", ".mff", ".raw", ".csv", ".txt", ".npy", ".npz", ".mat", ".zip")
_COMPANIONS = {".vhdr": (".eeg", ".dat", ".vmrk"), ".set": (".fdt",)}
_LATER_PART = re.compile(r"(?i)(?P<first>.+)-\d{1,3}\.fif|(?P<before>.+_split-)(?!0*1_)\d+(?P<after>_.+\.fif)")
"""How the second part of a recording in FIF and those after it are named: by Neuromag and MNE, and in BIDS."""
_NOTES = re.compile(r"channels|events|electrodes|participants|notes|readme|licen[cs]e", re.IGNORECASE)


def recordings(folder: Path, leave_out: Collection[Path] = ()) -> list[Path]:
    """The main file of every recording, sorted: those of a BIDS folder, else whatever is named like a recording.

    A link counts even if it leads nowhere, so that a recording that was not fetched is not passed over in silence.

    Args:
        folder: is searched with everything in it that is not hidden; linked folders are not.
        leave_out: files and folders that hold no recordings.
    """
    return bids_recordings(folder) or sorted(_anywhere(folder, {path.resolve() for path in leave_out}))


def bids_recordings(folder: Path) -> list[Path]:
    """``sub-*/**/*_eeg.{edf,bdf,vhdr,set}``, sorted."""
    return sorted(path for path in folder.glob("sub-*/**/*_eeg.*") if path.suffix.lower() in BIDS_SUFFIXES)


def with_companions(path: Path) -> tuple[Path, ...]:
    """A recording and the files that belong to it by their names.

    These are what its header speaks of (BrainVision, EEGLAB), further parts (FIF) and BIDS's table of channels.
    """
    companions = [path.with_suffix(suffix) for suffix in _COMPANIONS.get(path.suffix.lower(), ())]
    if path.stem.endswith("_eeg"):
        companions.append(path.with_name(path.stem.removesuffix("_eeg") + "_channels.tsv"))
    if path.suffix.lower() == ".fif":
        companions += sorted(p for p in path.parent.glob("*.fif") if p != path and _first_part(p) == path)
    return (path, *(p for p in companions if p.is_file()))


def _first_part(path: Path) -> Path | None:
    """The file that begins the recording of which this is a later part by its name, and which is there; or None."""
    found = _LATER_PART.fullmatch(path.name)
    if not found:
        return None
    names = (
        [f"{found['first']}.fif"] if found["first"] else [f"{found['before']}{n}{found['after']}" for n in ("01", "1")]
    )
    return next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)


def _anywhere(folder: Path, leave_out: set[Path]) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        here = Path(place)
        packages = [name for name in folders if Path(name).suffix.lower() == ".mff"]  # one recording each
        yield from (here / name for name in packages)
        kept = (name for name in folders if name not in packages and not name.startswith((".", "__MACOSX")))
        folders[:] = [name for name in kept if (here / name).resolve() not in leave_out]
        paths = (here / name for name in files if not name.startswith("."))
        yield from (path for path in paths if _named(path) and path.resolve() not in leave_out)


def _named(path: Path) -> bool:
    """Whether it is named like a recording, not like a later part of one, nor, if it is text, like notes beside one."""
    suffix = path.suffix.lower()
    if suffix == ".fif" and _first_part(path):
        return False
    return suffix in SUFFIXES and not (suffix in (".csv", ".txt") and _NOTES.search(path.stem))
