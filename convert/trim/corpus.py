"""Read a corpus: every string in each line's object of a ``.jsonl`` file, the whole text of any other file."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from convert.files import ConvertError

#: Characters of plain text that are read at once; the text is divided only at the end of a line.
PIECE = 2**20


def read_texts(files: Sequence[Path]) -> Iterator[str]:
    """Yield the texts of all files, without the empty ones.

    Raises:
        ConvertError: a file is missing, or is no UTF-8 text, or contains lines that are no JSON.
    """
    for path in files:
        lines = path.name.endswith(".jsonl")
        try:
            with path.open(encoding="utf-8", newline="") as file:  # keeps the line ends
                yield from filter(None, _read_json_lines(file, path) if lines else _read_pieces(file))
        except UnicodeDecodeError as error:
            raise ConvertError(f"{path} is not UTF-8 text.") from error
        except OSError as error:
            raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error


def _read_pieces(file: TextIO) -> Iterator[str]:
    while lines := file.readlines(PIECE):
        yield "".join(lines)


def _read_json_lines(file: TextIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ConvertError(f"Line {number} of {path} is not JSON.") from error
            yield from _find_strings(value)


def _find_strings(value: object) -> Iterator[str]:
    """Yield every string in a JSON value, but not the keys of objects."""
    if isinstance(value, str):
        yield value.encode(errors="replace").decode()  # JSON can contain half a surrogate pair
    elif isinstance(value, list | dict):
        for part in value if isinstance(value, list) else value.values():
            yield from _find_strings(part)
