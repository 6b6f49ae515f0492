"""Write files and folders so that each appears whole or not at all (see ``write_atomically``), and hash files."""

import glob
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from copilot.child_process import is_running
from copilot.errors import CopilotError


class FileError(CopilotError, ValueError):
    """A file cannot be written; the message is one plain sentence."""


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a whole file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def write_atomically(out: Path, partial: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path for a file or folder, and rename it to ``out`` if the block ends without an error.

    An existing file is replaced; an existing folder is not, because it may contain more than an earlier run wrote.
    Temporary files that killed runs left in the folder of ``out`` are removed.

    Args:
        out: the file or folder.
        partial: the temporary path, in the same file system, as only a rename within one is atomic; by default one in
            the folder of ``out``.

    Raises:
        FileError: a file cannot be written, or ``out`` is an existing folder.
    """
    if out.is_dir():
        raise FileError(f"{out} is there already; remove that folder or name another.")
    _remove_abandoned_files(out)
    partial = partial or out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(out)
    except OSError as error:
        if isinstance(error, NotADirectoryError | FileExistsError) and not out.parent.is_dir():
            raise FileError(f"{out} cannot be made: {out.parent} is not a folder.") from error
        if not _concerns_output(error, partial):
            raise FileError(f"{error.filename} cannot be read: {error.strerror}.") from error
        raise FileError(f"{out} could not be written: {error.strerror or error}.") from error
    finally:
        _remove(partial)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty temporary folder, and rename it to ``out`` as ``write_atomically`` does.

    Raises:
        FileError: as ``write_atomically``, or ``out`` exists as a file.
    """
    if out.exists():
        raise FileError(f"{out} is there already; remove it or name another folder.")
    with write_atomically(out) as partial:
        partial.mkdir()
        yield partial


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _remove_abandoned_files(out: Path) -> None:
    """Remove what killed processes left behind; each name contains the number of its process."""
    for path in out.parent.glob(f".{glob.escape(out.name)}.*.partial"):
        process = path.name.split(".")[-2]
        if process.isdecimal() and not is_running(int(process)):
            with suppress(OSError):
                _remove(path)


def _concerns_output(error: OSError, partial: Path) -> bool:
    """Return whether an error is about the output, and not about a file that is read for it.

    An error without a file name comes from writing to an open file; creating a folder fails with the name of a parent.
    """
    return error.filename is None or error.filename.startswith(str(partial)) or Path(error.filename) in partial.parents
