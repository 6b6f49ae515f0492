"""How every verb touches files: plain errors on reading, and what is written has its final name whole or not at all."""

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
    """The input cannot be converted, or the output not written; the message is one plain sentence."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConvertError: the file is missing, damaged, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if not path.parent.is_dir():
            raise ConvertError(f"{path.parent} is not a folder; name the one that holds {path.name}.") from error
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConvertError(f"{path} is damaged: it is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ConvertError(f"{path} is not what its name says: it holds no JSON object.")
    return value


def sha256(path: Path) -> str:
    """Of the whole file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_line(error: BaseException) -> str:
    """What a library says of an error in one line, or two where the first only announces; its kind where it is mute."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Give a folder for temporary files, by default where the system has them; it is gone at the end of the block.

    Raises:
        ConvertError: the disk refuses what the block writes.
    """
    try:
        with TemporaryDirectory(dir=parent) as name:
            yield Path(name)
    except (OSError, SafetensorError) as error:
        raise ConvertError(f"Temporary files could not be written: {str(error).rstrip('.')}.") from error


@contextmanager
def write_atomically(out: Path) -> Iterator[Path]:
    """Give a path beside ``out`` to write a file or folder to; it gets ``out``'s name only if the block ends well.

    Beside, because only a rename within one file system is all or nothing. An existing file is replaced, an existing
    folder is not: it may hold more than what an earlier run wrote. What killed runs left beside it is removed.

    Raises:
        ConvertError: the disk refuses, or ``out`` is a folder that is there already.
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
    """Give a folder beside ``out`` to fill, as ``written_whole`` does; ``out`` must not be there in any form.

    Raises:
        ConvertError: as ``written_whole``, or ``out`` is a file.
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
    """A process that was killed outright could not clean up behind itself; its number is in the name."""
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
    """Whether an error is about what is being written, and not about something that is read for it.

    One that names no file comes from writing to an open one; making a folder fails with the name of one above.
    """
    return error.filename is None or error.filename.startswith(str(partial)) or Path(error.filename) in partial.parents
