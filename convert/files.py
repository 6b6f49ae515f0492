"""Read and write files for all verbs: with plain errors, and so that an output appears whole or not at all."""

import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError

from copilot.errors import CopilotError


class ConvertError(CopilotError, ValueError):
    """The input cannot be converted, or the output cannot be written; the message is one plain sentence."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConvertError: the file is missing or damaged, or contains something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if not path.parent.is_dir():
            raise ConvertError(f"{path.parent} is not a folder; name the one that contains {path.name}.") from error
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConvertError(f"{path} is damaged: it is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ConvertError(f"{path} does not contain a JSON object.")
    return value


def sha256(path: Path) -> str:
    """Return the SHA-256 of a whole file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or two where the first ends in a colon; its type if it is empty."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield a folder for temporary files and remove it at the end of the block.

    Args:
        parent: where to create it; by default the system's folder for temporary files.

    Raises:
        ConvertError: the block cannot write its files.
    """
    try:
        with TemporaryDirectory(dir=parent) as name:
            yield Path(name)
    except (OSError, SafetensorError) as error:
        raise ConvertError(f"Temporary files could not be written: {str(error).rstrip('.')}.") from error


@contextmanager
def write_atomically(out: Path) -> Iterator[Path]:
    """Yield a temporary path for a file or folder, and rename it to ``out`` if the block ends without an error.

    The path is in the folder of ``out``, because only a rename within one file system is atomic. An existing file is
    replaced; an existing folder is not, because it may contain more than an earlier run wrote. Temporary files that
    killed runs left there are removed.

    Raises:
        ConvertError: a file cannot be written, or ``out`` is an existing folder.
    """
    if out.is_dir():
        raise ConvertError(f"{out} is there already; remove that folder or name another.")
    _remove_abandoned_files(out)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(out)
    except OSError as error:
        if isinstance(error, NotADirectoryError | FileExistsError) and not out.parent.is_dir():
            raise ConvertError(f"{out} cannot be made: {out.parent} is not a folder.") from error
        if not _concerns_output(error, partial):
            raise ConvertError(f"{error.filename} cannot be read: {error.strerror}.") from error
        raise ConvertError(f"{out} could not be written: {error.strerror or error}.") from error
    finally:
        _remove(partial)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty temporary folder, and rename it to ``out`` as ``write_atomically`` does.

    Raises:
        ConvertError: as ``write_atomically``, or ``out`` exists as a file.
    """
    if out.exists():
        raise ConvertError(f"{out} is there already; remove it or name another folder.")
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
        if process.isdecimal() and not _is_running(int(process)):
            with suppress(OSError):
                _remove(path)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _concerns_output(error: OSError, partial: Path) -> bool:
    """Return whether an error is about the output, and not about a file that is read for it.

    An error without a file name comes from writing to an open file; creating a folder fails with the name of a parent.
    """
    return error.filename is None or error.filename.startswith(str(partial)) or Path(error.filename) in partial.parents
