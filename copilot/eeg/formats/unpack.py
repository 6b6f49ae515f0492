"""Put the files of one recording, and nothing else, into a fresh temporary folder (see ``unpack_files``).

Headers name the files beside them. In a folder of its own nothing else can be found, whatever a header names.
"""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from copilot.eeg.types import RecordingError
from copilot.i18n import N_

FILES_TOO_LARGE = N_(
    "The recording has {megabytes:.0f} MB and at most {most} MB are read; cut out the part that matters."
)


MAX_MEMBERS = 1000
MB = 2**20
_ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")


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
                _link_file(source, folder / relative)
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


def _link_file(source: Path, target: Path) -> None:
    if target.exists():
        raise RecordingError(N_("Two of the files have the same name; give only the files of one recording."))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


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
            members = [member for member in archive.infolist() if _is_wanted(member)]
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


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(member.filename)
    return not (member.is_dir() or "__MACOSX" in name.parts or name.name.startswith("."))


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
