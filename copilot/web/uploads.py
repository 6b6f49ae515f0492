"""Uploaded files: read into memory and unlinked before anything else happens.

Gradio keeps uploads on disk as long as it runs, and anyone who knows the path can read one. Its ``File`` component also
leaves an empty temporary file behind whenever it hands a path to a handler; so handlers take the browser's own
description of the files (``preprocess=False``), whose paths Gradio has checked by then.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from copilot.eeg.recording import RecordingError
from copilot.eeg.staging import MB
from copilot.language import english as words
from copilot.language import sentence


@dataclass(frozen=True)
class Attachment:
    """One uploaded file, in memory."""

    name: str
    content: bytes = field(repr=False)


def take(files: Sequence[dict[str, Any]] | None, max_mb: int) -> tuple[Attachment, ...]:
    """Read uploaded files and unlink them.

    Args:
        files: as the browser describes them: ``path`` on this machine and ``orig_name`` on the person's.
        max_mb: the most that is taken, all files together; Gradio limits each of them.

    Raises:
        RecordingError: they are larger; unlinked all the same.
    """
    paths = {Path(file["path"]): file.get("orig_name") or "" for file in files or ()}
    try:
        size = sum(path.stat().st_size for path in paths) / MB
        if size > max_mb:
            raise RecordingError(sentence(words.TOO_LARGE, size=size, most=max_mb))
        return tuple(Attachment(_believed(name, path), path.read_bytes()) for path, name in paths.items())
    finally:
        for path in paths:
            _remove(path)


def _believed(name: str, path: Path) -> str:
    # The name as the person's computer has it, since BrainVision files refer to each other by name; but it comes from
    # the browser, so only a plain name is believed.
    plain = name == Path(name).name and name not in ("", "..") and name.isprintable() and len(name.encode()) <= 200
    return name if plain else path.name


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    with suppress(OSError):  # Gradio's folder for this one upload; not ours to remove when not empty
        path.parent.rmdir()


def write(attachments: Sequence[Attachment], folder: Path) -> list[Path]:
    """Write attachments into ``folder`` under their own names, for readers that need files."""
    folder.mkdir(parents=True)
    paths = [folder / attachment.name for attachment in attachments]
    for path, attachment in zip(paths, attachments, strict=True):
        path.write_bytes(attachment.content)
    return paths
