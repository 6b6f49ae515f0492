"""Read files and make temporary ones, with plain errors; outputs are written through ``copilot.files``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
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
