"""Which files of a folder are recordings, and which files make up one (see ``recordings``)."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

#: What BIDS takes EEG to be (Pernet et al. 2019, Sci Data 6:103).
BIDS_SUFFIXES = (".edf", ".bdf", ".vhdr", ".set")
SUFFIXES = (*BIDS_SUFFIXES, ".gdf", ".fif", ".cnt", ".mff", ".raw", ".csv", ".txt", ".npy", ".npz", ".mat", ".zip")
_COMPANIONS = {".vhdr": (".eeg", ".dat", ".vmrk"), ".set": (".fdt",)}
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
    """A recording and the files of the same name that its header speaks of (BrainVision, EEGLAB)."""
    companions = _COMPANIONS.get(path.suffix.lower(), ())
    return (path, *(p for p in map(path.with_suffix, companions) if p.is_file()))


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
    """Whether it is named like a recording, and if it is text, not like notes beside one."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES and not (suffix in (".csv", ".txt") and _NOTES.search(path.stem))
