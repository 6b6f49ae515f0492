"""Files and folders appear whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copilot.files import FileError, new_folder, write_atomically


def write_half(out):
    with write_atomically(out) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt


def test_an_interrupted_write_leaves_the_earlier_file_alone(tmp_path):
    out = tmp_path / "model.gguf"
    out.write_text("earlier")
    with pytest.raises(KeyboardInterrupt):
        write_half(out)
    assert [p.name for p in tmp_path.iterdir()] == ["model.gguf"]
    assert out.read_text() == "earlier"


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / f".out.{process.pid}.partial").mkdir()
    (tmp_path / f".out.{os.getppid()}.partial").write_text("of another process")
    (tmp_path / f".other.{process.pid}.partial").write_text("of another file")
    with write_atomically(tmp_path / "out") as partial:
        partial.write_text("whole")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"out", f".out.{os.getppid()}.partial", f".other.{process.pid}.partial"}


def fill(out):
    with new_folder(out):
        pass


def test_a_folder_is_never_made_over_something(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        with pytest.raises(FileError, match="is there already"):
            fill(tmp_path / name)
    with pytest.raises(FileError, match="file is not a folder"):
        fill(tmp_path / "file" / "below")
    fill(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()


def copy_absent(out):
    with write_atomically(out) as partial:
        partial.write_text(Path("/absent/source").read_text())


def test_what_could_not_be_read_is_not_called_unwritable(tmp_path):
    with pytest.raises(FileError, match="/absent/source cannot be read: No such file"):
        copy_absent(tmp_path / "out")


def test_the_temporary_path_can_be_in_another_folder(tmp_path):
    (tmp_path / "scratch").mkdir()
    with write_atomically(tmp_path / "out", tmp_path / "scratch" / "part") as partial:
        partial.write_text("whole")
        assert partial == tmp_path / "scratch" / "part"
    assert (tmp_path / "out").read_text() == "whole"
    assert list((tmp_path / "scratch").iterdir()) == []
