"""A task with the contents of its files, to be read on a machine that does not see them (see ``RayPayload``)."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from copilot.batch.worker import Task
from copilot.eeg.discovery import with_companions

#: What names of temporary folders begin with.
SCRATCH = "eeg-copilot-reader-"


@dataclass(frozen=True)
class RayPayload:
    """A task and the contents of its files, by their paths in a folder that is made where it arrives."""

    task: Task
    contents: dict[str, bytes]

    @classmethod
    def pack(cls, task: Task) -> "RayPayload":
        """The recording in a folder of its own, and so is each baseline."""
        places = [("recording", path) for path in task.files]
        for number, baseline in enumerate(task.baselines):
            places += [(f"baseline-{number}", path) for path in with_companions(baseline)]
        contents = {f"{where}/{name}": part.read_bytes() for where, path in places for name, part in _list_files(path)}
        files = tuple(Path("recording") / path.name for path in task.files)
        baselines = tuple(Path(f"baseline-{n}") / path.name for n, path in enumerate(task.baselines))
        return cls(replace(task, files=files, baselines=baselines), contents)

    @contextmanager
    def unpack(self) -> Iterator[Task]:
        """Give the task with files that are gone at the end of the block, as is whatever else is temporary in it."""
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
    """Remove what readers left that were killed; the number of a process is in the name."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        try:
            os.kill(int(left.name.removeprefix(SCRATCH).split("-")[0]), 0)  # only asks whether it could be sent
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (PermissionError, ValueError):
            continue


def _list_files(path: Path) -> Iterator[tuple[str, Path]]:
    """A file, or the files of a folder that is one recording."""
    for part in sorted(path.rglob("*")) if path.is_dir() else (path,):
        if part.is_file():
            yield part.relative_to(path.parent).as_posix(), part
