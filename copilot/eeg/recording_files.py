"""Find the files of recordings (``find_recordings``), and put those of one recording into a folder (``unpack_files``).

Headers name the files beside them. In a temporary folder of its own nothing else can be found, whatever a header names.
"""

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from copilot.eeg.types import RecordingError
from copilot.i18n import N_

FILES_TOO_LARGE = N_(
    "The recording has {megabytes:.0f} MB and at most {most} MB are read; cut out the part that matters."
)

#: The formats that BIDS accepts for EEG (Pernet et al. 2019, Sci Data 6:103).
BIDS_SUFFIXES = (".edf", ".bdf", ".vhdr", ".set")
SUFFIXES = (*BIDS_SUFFIXES, ".gdf", ".fif", ".cnt", ".mff", ".raw", ".csv", ".txt", ".npy", ".npz", ".mat", ".zip")
_COMPANIONS = {".vhdr": (".eeg", ".dat", ".vmrk"), ".set": (".fdt",)}
_LATER_PART = re.compile(r"(?i)(?P<first>.+)-\d{1,3}\.fif|(?P<before>.+_split-)(?!0*1_)\d+(?P<after>_.+\.fif)")
"""How the second and later parts of a recording in FIF are named: by Neuromag and MNE, and in BIDS."""
_NOTES = re.compile(r"channels|events|electrodes|participants|notes|readme|licen[cs]e", re.IGNORECASE)

MAX_MEMBERS = 1000
MB = 2**20
_ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")


def find_recordings(folder: Path, leave_out: Collection[Path] = ()) -> list[Path]:
    """Return the main file of every recording, sorted: those of a BIDS folder, else every file named like a recording.

    A link counts even if its target is missing, so that a recording that was not fetched is reported.

    Args:
        folder: is searched with all its subfolders but hidden and linked ones.
        leave_out: files and folders that contain no recordings.
    """
    if recordings := find_bids_recordings(folder):
        return recordings
    left_out = {path.resolve() for path in leave_out}
    for place, folders, files in os.walk(folder):
        here = Path(place)
        packages = [name for name in folders if Path(name).suffix.lower() == ".mff"]  # one recording each
        recordings += [here / name for name in packages]
        kept = (name for name in folders if name not in packages and not name.startswith((".", "__MACOSX")))
        folders[:] = [name for name in kept if (here / name).resolve() not in left_out]
        for path in (here / name for name in files if not name.startswith(".")):
            suffix = path.suffix.lower()
            is_later_part = suffix == ".fif" and _find_first_part(path)
            is_note = suffix in (".csv", ".txt") and _NOTES.search(path.stem)
            if suffix in SUFFIXES and not is_later_part and not is_note and path.resolve() not in left_out:
                recordings.append(path)
    return sorted(recordings)


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


@contextmanager
def unpack_files(paths: Sequence[Path], max_mb: int) -> Iterator[list[Path]]:
    """Yield the files of a recording, all in one folder that is removed afterwards; a .zip is unpacked into it.

    Raises:
        RecordingError: nothing there, an empty file, too large, or an archive that cannot be unpacked safely.
    """
    files = [file for path in paths for file in _list_files(Path(path))]
    if not files:
        raise RecordingError(N_("No file was given; choose an EEG recording."))
    if any(source.stat().st_size == 0 for source, _ in files):
        raise RecordingError(N_("The file is empty (0 bytes); export or copy it again."))
    _check_size(sum(source.stat().st_size for source, _ in files), max_mb)
    with tempfile.TemporaryDirectory(prefix="eeg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for source, relative in files:
            if _is_archive(source, max_mb):
                _unpack_archive(source, folder)
            else:
                target = folder / relative
                if target.exists():
                    raise RecordingError(
                        N_("Two of the files have the same name; give only the files of one recording.")
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(source.resolve(), target)
                except OSError:  # another file system, or one without hard links
                    shutil.copyfile(source, target)
        yield sorted(path for path in folder.rglob("*") if path.is_file())


def _list_files(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (file, relative target); a folder, such as an EGI .mff, keeps its shape; links in it are not followed."""
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.is_file() and not inner.is_symlink():
                yield inner, inner.relative_to(path.parent)
    elif path.is_file():
        yield path, Path(path.name)
    else:
        raise RecordingError(N_("The file is not there; check its path."))


def _check_size(size: int, max_mb: int) -> None:
    if size > max_mb * MB:
        raise RecordingError(N_(FILES_TOO_LARGE, megabytes=size / MB, most=max_mb))


def _is_archive(path: Path, max_mb: int) -> bool:
    """Return whether a file is a .zip of files; NumPy's .npz is one too, but is read as it is."""
    with path.open("rb") as file:
        if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member.file_size for member in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise RecordingError(N_("The .zip is damaged or cut short; make it again.")) from error
    _check_size(sum(members.values()), max_mb)
    if "[Content_Types].xml" in members:
        raise RecordingError(N_("This is an Office document, not EEG; save a table as .csv and give that."))
    return not (members and all(name.endswith(".npy") for name in members))


def _unpack_archive(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {member: PurePosixPath(member.filename) for member in archive.infolist() if not member.is_dir()}
            members = [m for m, name in names.items() if "__MACOSX" not in name.parts and name.name[:1] != "."]
            if not members or len(members) > MAX_MEMBERS:
                raise RecordingError(N_("The .zip holds no files, or far too many; zip the files of one recording."))
            for member in members:
                _extract_member(archive, member, folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(
            N_("The .zip is damaged or protected by a password; make it again without one.")
        ) from error


def _extract_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one member; ``zipfile`` never gives more bytes than the directory, whose sum was checked, promises."""
    relative = PurePosixPath(member.filename)
    if relative.is_absolute() or ".." in relative.parts or "\\" in member.filename or ":" in member.filename:
        raise RecordingError(N_("The .zip holds a path that leads out of it; zip the files of one recording only."))
    folders = relative.parts[:-1]
    # Only an .mff keeps its folders.
    kept = next((i for i, part in enumerate(folders) if part.endswith(".mff")), len(folders))
    target = folder.joinpath(*relative.parts[kept:])
    if target.exists():
        raise RecordingError(N_("Two files in the .zip have the same name; zip the files of one recording only."))
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("xb") as file:
        head = source.read(8)
        if head.startswith(_ARCHIVES) and target.suffix.lower() != ".npz":
            raise RecordingError(N_("The .zip holds another archive; unpack that one first."))
        file.write(head)
        shutil.copyfileobj(source, file)
