"""Send a task together with the contents of its files to a machine without access to them (see ``RayPayload``)."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from copilot.batch.worker import Task
from copilot.eeg.recording_files import find_recording_files

#: Prefix of temporary folders' names.
SCRATCH = "eeg-copilot-reader-"


@dataclass(frozen=True)
class RayPayload:
    """A task and the contents of its files, by their paths in a folder that the receiving machine creates."""

    task: Task
    contents: dict[str, bytes]

    @classmethod
    def pack(cls, task: Task) -> "RayPayload":
        """Read the files of a task; the recording and each baseline get a folder of their own.

        Raises:
            OSError: a file cannot be read.
        """
        places = [("recording", path) for path in task.files]
        for number, baseline in enumerate(task.baselines):
            places += [(f"baseline-{number}", path) for path in find_recording_files(baseline)]
        contents = {f"{where}/{name}": part.read_bytes() for where, path in places for name, part in _list_files(path)}
        files = tuple(Path("recording") / path.name for path in task.files)
        baselines = tuple(Path(f"baseline-{n}") / path.name for n, path in enumerate(task.baselines))
        return cls(replace(task, files=files, baselines=baselines), contents)

    @contextmanager
    def unpack(self) -> Iterator[Task]:
        """Write the files to a temporary folder and give the task with their paths.

        At the end of the block the folder is removed, with all other temporary files that were made in the block.
        """
        with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-") as name:
            folder, before = Path(name), tempfile.tempdir
            for relative, content in self.contents.items():
                path = folder / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            files, baselines = ([folder / path for path in paths] for paths in (self.task.files, self.task.baselines))
            tempfile.tempdir = name
            try:
                yield replace(self.task, files=tuple(files), baselines=tuple(baselines))
            finally:
                tempfile.tempdir = before


def remove_abandoned_folders() -> None:
    """Remove the folders of workers that were killed; a folder's name contains the number of the process."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        try:
            os.kill(int(left.name.removeprefix(SCRATCH).split("-")[0]), 0)  # signal 0 only checks that it exists
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (PermissionError, ValueError):
            continue


def _list_files(path: Path) -> Iterator[tuple[str, Path]]:
    """List a file, or the files of a folder that is one recording, with their paths relative to its parent."""
    for part in sorted(path.rglob("*")) if path.is_dir() else (path,):
        if part.is_file():
            yield part.relative_to(path.parent).as_posix(), part
