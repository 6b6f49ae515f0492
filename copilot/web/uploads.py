"""Receive uploaded files into a private folder, read them into memory and delete them at once.

Gradio's own reception stores a file under the hash of its content: two visitors with one file would share it, a client
that knows the content could fetch it, and an interrupted upload would stay on disk. Here every request gets a folder
with a random name (see ``UploadReceiver``), whose files have neutral names. Handlers take the browser's own description
of the files (``preprocess=False``), because Gradio's ``File`` leaves an empty temporary file for every path it returns.
"""

import asyncio
import shutil
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from anyio import to_thread
from gradio.route_utils import GradioMultiPartParser
from gradio.routes import file_upload_statuses
from starlette.datastructures import UploadFile
from starlette.requests import Request

from copilot.eeg.recording_files import MB, SUFFIXES
from copilot.eeg.types import RecordingError
from copilot.i18n import N_

TOO_LARGE = N_("The files have {size:.0f} MB together and at most {most} MB are taken; cut out the part that matters.")
CHOOSE_AGAIN = N_("The file is not here any more; please choose it again.")


#: Files in one upload; a recording has at most four, a person perhaps dozens of baselines.
MAX_FILES = 100

#: Uploads that no handler took, because the page was closed too early, are deleted after this time, seconds.
MAX_UNTAKEN_S = 600

#: Suffixes of names that are kept on disk, since readers need them; another could be a part of a person's name.
KEPT_SUFFIXES = {*SUFFIXES, ".eeg", ".dat", ".fdt", ".vmrk", ".json", ".tsv", ".pkl", ".pickle", ".joblib", ".p"}


class NoRoomError(Exception):
    """There are too many uploads at once, or the disk is full."""


class UploadReceiver:
    """Receives uploads.

    Args:
        root: the folder for them; Gradio's upload folder, since it accepts no path elsewhere.
        max_mb: the most that one request may contain, megabytes.
        most_mb: the most that all of them may take on disk together, arriving or not yet taken, megabytes.
    """

    def __init__(self, root: Path, max_mb: int, most_mb: int) -> None:
        self.root = root
        self._max, self._most = max_mb * MB, most_mb * MB
        self._arriving: dict[Path, int] = {}

    async def receive(self, request: Request, size: int) -> list[str]:
        """Store the files of a multipart request, whose body has ``size`` bytes, and return their paths.

        Raises:
            NoRoomError: there is no room for more uploads now.
            MultiPartException: the request cannot be read, or has too many files.
            ClientDisconnect, TimeoutError: the upload was interrupted.
        """
        upload_id = request.query_params.get("upload_id")
        if upload_id:
            file_upload_statuses.track(upload_id)
        try:
            with self._make_folder(size) as folder:
                parser = GradioMultiPartParser(
                    request.headers,
                    request.stream(),
                    max_files=MAX_FILES,
                    max_fields=10,
                    upload_dir=folder,
                    upload_id=upload_id,
                    upload_progress=file_upload_statuses if upload_id else None,
                    max_file_size=self._max,
                )
                try:
                    form = await parser.parse()
                finally:
                    for part in parser._files_to_close_on_error:
                        part.close()
                files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
                return [_rename_neutrally(file, folder, number) for number, file in enumerate(files)]
        except TimeoutError:  # an OSError too
            raise
        except OSError as error:
            raise NoRoomError from error
        finally:
            if upload_id:
                file_upload_statuses.set_done(upload_id)

    @contextmanager
    def _make_folder(self, size: int) -> Iterator[Path]:
        """Yield a new folder with a random name; remove it if the upload fails."""
        if size + sum(self._arriving.values()) + self._count_untaken_bytes() > self._most:
            raise NoRoomError
        folder = self.root / token_hex(16)
        self._arriving[folder] = size
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            del self._arriving[folder]

    def _count_untaken_bytes(self) -> int:
        """Return the bytes of complete uploads that no handler has taken yet."""
        paths = (path for path in self.root.glob("*/*") if path.parent not in self._arriving)
        sizes = []
        for path in paths:
            with suppress(FileNotFoundError):  # taken meanwhile
                sizes.append(path.stat().st_size)
        return sum(sizes)

    def remove_stale(self) -> None:
        """Delete uploads that arrived long ago and were never taken."""
        for folder in self.root.glob("*"):
            with suppress(OSError):
                if folder not in self._arriving and folder.stat().st_mtime < time.time() - MAX_UNTAKEN_S:
                    shutil.rmtree(folder, ignore_errors=True)

    async def remove_stale_repeatedly(self) -> None:
        """Delete stale uploads every minute."""
        while True:
            await to_thread.run_sync(self.remove_stale)
            await asyncio.sleep(60)

    def contains(self, path: str) -> bool:
        """Return whether ``path`` is one that ``receive`` could have returned."""
        return Path(path).parent.parent == self.root and ".." not in Path(path).parts


def _rename_neutrally(file: UploadFile, folder: Path, number: int) -> str:
    """Give a received file its neutral name; its original name is in the page's call."""
    suffix = Path(file.filename or "").suffix.lower()
    return str(Path(str(file.file.name)).rename(folder / f"{number}{suffix if suffix in KEPT_SUFFIXES else ''}"))


@dataclass
class Attachment:
    """One uploaded file, in memory.

    Attributes:
        name: on the person's computer.
        content: empty after it was dropped in favour of newer files (see ``MemoryBudget``).
        dropped: whether it was dropped.
        stored: the neutral name under which it was received.
    """

    name: str
    content: bytes = field(repr=False)
    dropped: bool = False
    stored: str = field(default="", compare=False)


class MemoryBudget:
    """Limits the memory that all visitors' files take together.

    Args:
        most_mb: megabytes; above that, the oldest uploads are dropped first.
    """

    def __init__(self, most_mb: int) -> None:
        self._most = most_mb * MB
        self._lock = threading.Lock()
        self._recordings: list[list[weakref.ref[Attachment]]] = []

    def add(self, files: Sequence[Attachment]) -> None:
        """Count the files of one recording from now on, for as long as they are in use."""
        with self._lock:
            self._recordings.append([weakref.ref(file) for file in files])
            alive = [[file for ref in refs if (file := ref())] for refs in self._recordings]
            self._recordings = [refs for refs, there in zip(self._recordings, alive, strict=True) if there]
            excess = sum(len(file.content) for recording in alive for file in recording) - self._most
            for recording in alive[:-1]:
                for file in recording if excess > 0 else ():
                    excess -= len(file.content)
                    file.content, file.dropped = b"", True


def check_present(files: Sequence[Attachment]) -> None:
    """Check that no file was dropped.

    Raises:
        RecordingError: one was.
    """
    if any(file.dropped for file in files):
        raise RecordingError(CHOOSE_AGAIN)


def read_uploads(files: Sequence[dict[str, Any]] | None, max_mb: int) -> tuple[Attachment, ...]:
    """Read uploaded files and delete them.

    Args:
        files: as the browser describes them: ``path`` on this machine and ``orig_name`` on the person's.
        max_mb: the most that is read, all files together; Gradio limits each of them.

    Raises:
        RecordingError: they are larger, or not there any more; deleted all the same.
    """
    paths = {Path(file["path"]): file.get("orig_name") or "" for file in files or ()}
    try:
        size = sum(path.stat().st_size for path in paths) / MB
        if size > max_mb:
            raise RecordingError(N_(TOO_LARGE, size=size, most=max_mb))
        return tuple(
            Attachment(_choose_name(name, path), path.read_bytes(), stored=path.name) for path, name in paths.items()
        )
    except OSError:
        raise RecordingError(CHOOSE_AGAIN) from None
    finally:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()  # the folder of this upload; stays while other files are in it


def _choose_name(name: str, path: Path) -> str:
    # The name on the person's computer, since BrainVision files refer to each other by name; but it comes from
    # the browser, so only a plain name is accepted.
    plain = name == Path(name).name and name not in ("", "..") and name.isprintable() and len(name.encode()) <= 200
    return name if plain else path.name


def write_attachments(attachments: Sequence[Attachment], folder: Path) -> list[Path]:
    """Write attachments into ``folder``, for readers that need files.

    Several files of one recording refer to each other by name, so they keep their names. A single one keeps the neutral
    name under which it was received, so that even a killed process leaves no file with a person's name.

    Raises:
        RecordingError: one of them was dropped.
    """
    check_present(attachments)
    folder.mkdir(parents=True)
    alone = len(attachments) == 1
    paths = [folder / ((alone and file.stored) or file.name) for file in attachments]
    for path, attachment in zip(paths, attachments, strict=True):
        path.write_bytes(attachment.content)
    return paths
