"""Uploaded files: read into memory and unlinked before any handler sees them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ListFiles


@dataclass(frozen=True)
class Attachment:
    """One uploaded file, in memory."""

    name: str
    content: bytes = field(repr=False)

from gradio.events import Dependency

class Upload(gr.File):
    """A file drop whose value reaches handlers as attachments, with nothing left on disk.

    Gradio keeps uploads on disk as long as it runs, and anyone who knows the path can read one; its own ``File`` also
    leaves an empty temporary file behind on every use.
    """

    is_template = True  # for Gradio: drawn in the browser like its parent

    def preprocess(self, payload: ListFiles | FileData | None) -> Any:
        """The payload as a tuple of attachments; the files are gone afterwards."""
        if payload is None:
            return ()
        files = payload.root if isinstance(payload, ListFiles) else [payload]
        return tuple(_take(Path(file.path), file.orig_name or "") for file in files)
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


def _take(path: Path, name: str) -> Attachment:
    # The name as the person's computer has it, since BrainVision files refer to each other by name; but it comes from
    # the browser, so only a plain name is believed.
    believed = name == Path(name).name and name not in ("", "..") and name.isprintable() and len(name.encode()) <= 200
    try:
        return Attachment(name if believed else path.name, path.read_bytes())
    finally:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # Gradio's folder for this one upload; not ours to remove when not empty
            path.parent.rmdir()


def write(attachments: Sequence[Attachment], folder: Path) -> list[Path]:
    """Write attachments into ``folder`` under their own names, for readers that need files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / attachment.name for attachment in attachments]
    for path, attachment in zip(paths, attachments, strict=True):
        path.write_bytes(attachment.content)
    return paths