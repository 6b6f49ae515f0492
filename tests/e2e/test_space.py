"""The app as a Space runs it: in a process and a folder of its own, told by the environment, watched from outside."""

import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file

from copilot import NOTICE
from copilot.eeg import simulate
from copilot.i18n import N_, messages
from copilot.settings import ROOT
from copilot.web.app import private_folder
from tests.helpers.tiny_model import write_tiny_gguf

#: Runs at the start of every Python in the child: connections and look-ups beyond this machine fail and are noted.
WATCH = """
import os, sys

HERE = ("127.", "::1", "localhost", "0.0.0.0")

def watch(event, values):
    if event == "socket.connect" and isinstance(values[1], tuple):
        host = values[1][0]
    elif event == "socket.getaddrinfo":
        host = values[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not str(host).startswith(HERE):
        with open(os.environ["WATCH_LOG"], "a") as log:
            print(event, host, file=log)
        raise OSError(f"{event} to {host}: not in this test")

sys.addaudithook(watch)
"""


@dataclass(frozen=True)
class Space:
    """A running app.

    Attributes:
        address: where it answers.
        process: it.
        repository: the folder it runs in.
        scratch: its temporary folder.
        outside: what it tried to reach beyond this machine, a line each.
        first_page_s: seconds from its start to its first page.
    """

    address: str
    process: "subprocess.Popen[bytes]"
    repository: Path
    scratch: Path
    outside: Path
    first_page_s: float


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running(tmp_path_factory.mktemp("space")) as space:
        yield space


@contextmanager
def running(folder: Path) -> Iterator[Space]:
    """The app in a folder, where it may have run before."""
    for name in ("scratch", "home", "watch"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)
    repository = folder / "repository"
    if not repository.exists():
        repository.mkdir()
        shutil.copy(ROOT / "app.py", repository)
        shutil.copytree(ROOT / "copilot", repository / "copilot", ignore=shutil.ignore_patterns("__pycache__"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **{"SPACE_ID": "somebody/eeg-emotion-copilot", "SYSTEM": "spaces", "SPACE_HOST": "somebody.hf.space"},
        **{"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "TMPDIR": str(folder / "scratch")},
        **{"PYTHONPATH": str(folder / "watch"), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")},
        **{"EEG_COPILOT_PORT": str(port), "EEG_COPILOT_CONTEXT": "8192", "EEG_COPILOT_THREADS": "1"},
        "EEG_COPILOT_MODEL": str(write_tiny_gguf(folder / "tiny.gguf", context=8192)),
        "EEG_COPILOT_DECODER": str(ROOT / "models" / "decoder.npz"),
        "WATCH_LOG": str(folder / "outside.txt"),
    }
    started = time.monotonic()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=repository, env=environment, **pipes)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process)
        first_page_s = time.monotonic() - started
        yield Space(address, process, repository, folder / "scratch", folder / "outside.txt", first_page_s)
    finally:
        process.kill()
        process.communicate()


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the app ended by itself"
        try:
            urllib.request.urlopen(address).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the app does not answer")


def written(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_first_page_comes_soon_and_carries_the_notice(space: Space) -> None:
    with urllib.request.urlopen(space.address) as answer:
        page = answer.read().decode()
    assert NOTICE in page
    assert N_("This copilot runs on a Hugging Face Space: your recording is sent there and read there.") in page
    assert N_("Everything runs on the machine that serves this page.") not in page
    assert space.first_page_s < 30  # 3 to 4 s on an idle machine


def test_more_connections_than_files_may_be_open_neither_stop_the_app_nor_fill_its_log(space: Space) -> None:
    if hasattr(resource, "prlimit"):  # Linux: as after `ulimit -n 1024`
        resource.prlimit(space.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    mine = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(mine[1], 4096), mine[1]))
    port = int(space.address.rpartition(":")[2])
    try:
        with ExitStack() as connections:
            for n in range(1100):
                connection = connections.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                if n % 2:
                    with suppress(OSError):  # already made room for another
                        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            for _ in range(3):
                with urllib.request.urlopen(space.address, timeout=10) as answer:
                    assert answer.status == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, mine)
    assert space.process.poll() is None
    assert space.process.stderr is not None
    waiting = array("i", [0])
    fcntl.ioctl(space.process.stderr, termios.FIONREAD, waiting)
    assert waiting[0] < 10_000


# In this process, where Gradio's client is, and in the server's threads.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_main_job_stays_on_the_machine_and_leaves_nothing(space: Space) -> None:
    before = written(space.repository)
    client = Client(space.address, verbose=False)
    job = client.submit(True, "male", "40", "", "", "", "busy", "", "", api_name="/analyse")
    job.result(timeout=120)
    assert "Done in" in str(job.outputs())
    client.close()

    assert not space.outside.exists(), space.outside.read_text()
    assert written(space.repository) == before
    assert written(space.scratch) == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_termination_amid_an_analysis_leaves_nothing(space: Space) -> None:
    client = Client(space.address, verbose=False)
    client.submit(True, "male", "40", "", "", "", "busy", "", "", api_name="/analyse")
    deadline = time.monotonic() + 30
    while not written(space.scratch):
        assert time.monotonic() < deadline, "the analysis did not begin"
        time.sleep(0.01)
    space.process.send_signal(signal.SIGTERM)
    said, complaints = space.process.communicate(timeout=30)
    client.close()
    assert b"EEG Emotion Copilot with the model tiny" in said
    assert b"KeyboardInterrupt" not in complaints
    assert space.process.returncode == 0
    assert written(space.scratch) == {}
    assert list(space.scratch.glob("eeg*")) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_killed_app_leaves_no_name_and_the_next_start_removes_the_rest(tmp_path: Path) -> None:
    made, path = simulate.simulate(60, seed=4), tmp_path / "JANE_DOE.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    scratch = tmp_path / "scratch"
    with running(tmp_path) as space:
        client = Client(space.address, verbose=False, httpx_kwargs={"timeout": 60})
        client.predict([handle_file(path)], api_name="/recording")
        client.submit(True, "male", "40", "", "", "", "own", "", "", api_name="/analyse")
        seen: set[str] = set()
        deadline = time.monotonic() + 60
        while not seen:
            assert time.monotonic() < deadline, "the analysis did not begin"
            time.sleep(0.005)  # the app needs the core, too
            seen = set(written(scratch))
        (scratch / "somebody-elses").write_text("stays")
        space.process.kill()
        space.process.wait()
        client.close()
        assert any(name.endswith(".npz") for name in written(scratch))
        assert "JANE" not in str({*seen, *written(scratch), *map(str, scratch.rglob("*"))})
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in scratch.iterdir() if folder.is_dir())
    with running(tmp_path) as space:
        assert set(written(scratch)) == {"somebody-elses"}
        assert len([folder for folder in scratch.iterdir() if folder.is_dir()]) == 1
        with private_folder_of(scratch):  # another app's, which runs
            assert len([folder for folder in scratch.iterdir() if folder.is_dir()]) == 2
        space.process.send_signal(signal.SIGTERM)
        space.process.wait(30)
    assert [path.name for path in scratch.iterdir()] == ["somebody-elses"]


@contextmanager
def private_folder_of(scratch: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(scratch))
        with private_folder():
            yield


def test_missing_model_is_one_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "EEG_COPILOT_MODEL": str(tmp_path / "none.gguf"), "EEG_COPILOT_SERVER": ""}
    ended = subprocess.run([sys.executable, ROOT / "app.py"], env=environment, capture_output=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.decode().strip() == messages.NO_MODEL_FILE.format(path=tmp_path / "none.gguf")
