"""How every verb touches files: plain errors on reading, and what is written has its final name whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from safetensors import SafetensorError


class ConvertError(ValueError):
    """The input cannot be converted, or the output not written; the message is one plain sentence."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConvertError: the file is missing, damaged, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConvertError(f"{path} is damaged: it is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ConvertError(f"{path} is not what its name says: it holds no JSON object.")
    return value


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
        raise ConvertError(f"Temporary files could not be written to {parent or gettempdir()}: {error}.") from error


@contextmanager
def written_whole(out: Path) -> Iterator[Path]:
    """Give a path beside ``out`` to write a file or folder to; it gets ``out``'s name only if the block ends well.

    Beside, because only a rename within one file system is all or nothing. An existing file is replaced, an existing
    folder is not: it may hold more than what an earlier run wrote.

    Raises:
        ConvertError: the disk refuses, or ``out`` is a folder that is there already.
    """
    if out.is_dir():
        raise ConvertError(f"{out} is there already; remove that folder or name another.")
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(out)
    except OSError as error:
        raise ConvertError(f"{out} could not be written: {error.strerror or error}.") from error
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        elif partial.exists():
            partial.unlink()
