import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from copilot import child_process
from copilot.eeg import sandbox
from copilot.eeg.sandbox import Prepared, SandboxProgress, prepare
from copilot.eeg.types import RecordingError
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_edf


@pytest.fixture(autouse=True)
def no_folder_left_behind(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.fixture
def edf(tmp_path):
    return write_edf(tmp_path / "a.edf", scalp(30, 500), 500, TEN_TWENTY)


def test_a_recording_is_read_and_cleaned_with_progress_between(edf):
    sandbox.warm_up()
    *progress, last = prepare([edf])
    assert isinstance(last, Prepared)
    assert last.raw.sfreq == last.cleaned.sfreq == 250
    assert last.raw.channels == TEN_TWENTY
    assert last.raw.data.shape == (19, 7500)
    expected = scalp(30, 500)[:, ::2]
    assert np.corrcoef(last.raw.data[0, 500:-500], expected[0, 500:-500])[0, 1] > 0.98
    assert last.quality.clean_seconds >= 10
    assert last.read_s > 0
    assert last.clean_s > 0
    assert all(isinstance(event, SandboxProgress) and 0 <= event.fraction <= 1 and event.detail for event in progress)
    stages = [event.stage for event in progress]
    assert stages == sorted(stages, reverse=True)  # read, then clean
    assert set(stages) == {"read", "clean"}


def test_refusals_cross_the_process(tmp_path):
    path = tmp_path / "a.edf"
    path.write_bytes(b"GIF89a" + bytes(3000))
    with pytest.raises(RecordingError, match=r"This is a picture\."):
        list(prepare([path]))


def test_options_reach_the_reader(tmp_path):
    np.save(tmp_path / "a.npy", scalp(20, 250))
    *_, last = prepare([tmp_path / "a.npy"], sfreq=250, channels=TEN_TWENTY)
    assert isinstance(last, Prepared)
    assert last.raw.source == "NumPy"
    with pytest.raises(RecordingError, match="at most 0 MB"):
        list(prepare([tmp_path / "a.npy"], max_mb=0))


def started_workers():
    """The same, once there is one: a process that has just begun has no command line yet."""
    while not (found := workers()):
        time.sleep(0.01)
    return found


def workers():
    """Process ids of the workers that this process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"\nPPid:\t{os.getpid()}\n" in (folder / "status").read_text()
            if mine and b"copilot.eeg.sandbox" in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:  # ended meanwhile
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are listed in /proc only on Linux")
@pytest.mark.parametrize("events", [1, 12])
def test_closing_ends_the_work_at_once(edf, events):
    sandbox.cool_down()
    seconds = []
    for _ in range(3):
        walk = prepare([edf])
        for _ in range(events):
            next(walk)
        assert len(started_workers()) == 1
        begun = time.monotonic()
        walk.close()
        seconds.append(time.monotonic() - begun)
        assert workers() == []
    assert min(seconds) < 0.2  # the best: the machine may be busy


def test_events_come_often_enough_to_stop_between_them(edf):
    last, longest = time.monotonic(), 0.0
    for _ in prepare([edf]):
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert longest < 2  # 0.1 s and what a busy machine adds; the whole takes longer where the worker has to start


def test_time_and_memory_are_limited(edf, tmp_path):
    with pytest.raises(RecordingError, match="takes too long"):
        list(prepare([edf], timeout_s=0.2))
    np.savez_compressed(tmp_path / "a.npz", data=np.zeros((19, 4_000_000)), sfreq=250, channels=np.array(TEN_TWENTY))
    with pytest.raises(RecordingError, match="memory"):
        list(prepare([tmp_path / "a.npz"], memory_mb=500, max_mb=1000))


def test_what_nobody_foresaw_in_cleaning_ends_in_a_sentence(edf, monkeypatch, caplog):
    def clean(raw, progress):
        raise np.linalg.LinAlgError("Anna Example, born 1990")

    monkeypatch.setattr("copilot.eeg.preprocessing.clean.clean", clean)
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        theirs.send(sandbox._read_and_clean(theirs, [edf], {}))
        monkeypatch.setattr(sandbox, "_take_worker", lambda: nullcontext(SimpleNamespace(pipe=ours)))
        with pytest.raises(RecordingError, match="could not be cleaned;"):
            list(prepare([edf]))
    assert f"LinAlgError at {__file__}" in caplog.text
    assert "Anna" not in caplog.text


def test_memory_is_limited_where_core_dumps_cannot_be_forbidden(monkeypatch):
    limits = {}

    def set_limit(which, values):
        if which == resource.RLIMIT_CORE:
            raise ValueError("not allowed")
        limits[which] = values

    monkeypatch.setattr(resource, "setrlimit", set_limit)
    child_process.limit_resources(500, most=600)
    assert limits == {resource.RLIMIT_AS: (500, 600)}


def test_a_worker_that_dies_ends_in_a_sentence(edf):
    sandbox.cool_down()
    walk = prepare([edf])
    next(walk)
    for process in started_workers():
        os.kill(int(process), 9)
    with pytest.raises(RecordingError, match="crashed"):
        list(walk)


def test_a_script_without_a_main_guard_can_prepare(tmp_path, edf):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\nfrom copilot.eeg import sandbox\nsandbox.warm_up()\n"
        f"*_, last = sandbox.prepare([Path({str(edf)!r})])\nprint(type(last).__name__)\nsandbox.warm_up()\n"
    )
    root = str(Path(sandbox.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "TMPDIR": str(tmp_path), "PYTHONWARNINGS": "error"}
    command = [sys.executable, script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "Prepared\n"
    assert done.stderr == ""
