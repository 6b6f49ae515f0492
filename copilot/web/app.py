"""Start the web app: ``python app.py``, or ``eeg-copilot serve`` (see ``serve``)."""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from copilot.errors import CopilotError
from copilot.i18n import N_, Translator, messages
from copilot.llm import open_engine
from copilot.settings import Settings, SettingsError

#: Prefix of these folders' names, by which the next start finds those of processes that were killed.
PREFIX = "eeg-emotion-copilot-"


def serve() -> int:
    """Serve the page until Ctrl-C or SIGTERM; return the exit status, 1 after one sentence where it cannot start."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like Ctrl-C: temporary folders contain EEG
    language = ""
    try:
        with suppress(KeyboardInterrupt), private_folder():
            settings = Settings.from_environment()
            language = settings.language
            _serve(settings)
    except CopilotError as error:
        print(Translator(language or "en")(error.args[0]), file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings) -> None:
    """Build the page, serve it, and open the model behind it."""
    from copilot.web.page import build_page  # here, because Gradio makes a temporary folder as soon as it is imported
    from copilot.web.queue import Service
    from copilot.web.server import launch_page

    if not settings.server and not settings.model.is_file():
        raise SettingsError(N_(messages.NO_MODEL_FILE, path=str(settings.model)))
    service = Service(settings, open_engine)
    page = build_page(service)
    address = launch_page(page, service)
    print(f"EEG Emotion Copilot with the model {service.model_name}: {address}", flush=True)
    service.start()
    page.block_thread()


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make this process and its children put temporary files into a folder of their own, removed at the end.

    Gradio gets it as ``GRADIO_TEMP_DIR``. Folders of this user's processes that were killed are removed first. Only
    this user can look into it (mode 0700).

    Yields:
        The folder.
    """
    parent = Path(tempfile.gettempdir())
    _remove_stale_folders(parent)
    folder, lock = _make_locked_folder(parent)
    before = {name: os.environ.get(name) for name in ("TMPDIR", "GRADIO_TEMP_DIR")}
    default, tempfile.tempdir = tempfile.tempdir, str(folder)
    os.environ |= {"TMPDIR": str(folder), "GRADIO_TEMP_DIR": str(folder / "uploads")}
    try:
        yield folder
    finally:
        tempfile.tempdir = default
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _make_locked_folder(parent: Path) -> tuple[Path, int]:
    """Return a new folder and the descriptor that locks it; the system releases the lock when the process ends."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with suppress(OSError):  # another start removed it before it was locked
            if (lock := _lock_folder(folder)) is not None:
                if folder.exists():
                    return folder, lock
                os.close(lock)


def _lock_folder(folder: Path) -> int | None:
    """Lock a folder and return the lock's descriptor; None if another process has the lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_stale_folders(parent: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.getuid() and (lock := _lock_folder(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
