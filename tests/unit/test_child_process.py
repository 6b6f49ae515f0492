"""What llama.cpp could do to a process - crash, hang, take all memory - ends the child and is one sentence here."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from copilot import child_process
from copilot.child_process import EXIT_TIMEOUT_S, Child, ChildError, Limits
from copilot.errors import CopilotError

ROOT = Path(__file__).parents[2]


def double(number):
    return 2 * number


def refuse():
    raise CopilotError("That cannot be converted.")


def take(gigabytes):
    return len(bytearray(int(gigabytes * 2**30)))


def fail():
    raise LookupError("nobody foresaw this")


def test_the_result_of_the_function_comes_back():
    assert child_process.run(double, 21) == 42
    assert child_process.run(double, number="ab") == "abab"


def test_its_refusal_is_ours():
    with pytest.raises(CopilotError, match=r"^That cannot be converted\.$"):
        child_process.run(refuse)


def test_a_crash_is_a_sentence_that_names_the_signal():
    with pytest.raises(ChildError, match="SIGABRT"):
        child_process.run(os.abort)


def test_a_child_that_cannot_even_start_is_a_sentence():
    with pytest.raises(ChildError, match=r"ended with status|died of"):
        child_process.run_limited(Limits(0.01, 60), double, bytes(10_000_000))


def test_a_hang_is_ended():
    begun = time.monotonic()
    with pytest.raises(ChildError, match="after 1 seconds"):
        child_process.run_limited(Limits(2, 1), time.sleep, 60)
    assert time.monotonic() - begun < 10


def test_more_memory_than_allowed_is_refused():
    assert child_process.run_limited(Limits(2, 60), take, 0.5) == 2**29
    with pytest.raises(ChildError, match="memory"):
        child_process.run_limited(Limits(2, 60), take, 3)


def test_a_mistake_of_ours_is_not_blamed_on_the_file():
    with pytest.raises(RuntimeError, match="nobody foresaw this"):
        child_process.run(fail)


def test_the_child_ends_with_its_parent(tmp_path):
    parent, pid = lingering(tmp_path / "pid")
    parent.kill()
    parent.wait()
    assert gone(pid)


def test_an_interrupted_call_leaves_no_child(tmp_path):
    code = (
        "from copilot import child_process; from tests.unit.test_child_process import linger; "
        f"child_process.run(linger, {str(tmp_path / 'pid')!r})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    pid = wait_for(tmp_path / "pid")
    parent.send_signal(signal.SIGINT)
    parent.wait(timeout=10)
    assert gone(pid)


def make_and_remove(pipe, path):
    """Make a file, and remove it at the end of this process."""
    path.touch()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        pipe.send("made")
        time.sleep(60)
    finally:
        path.unlink()


@pytest.mark.parametrize(
    "end", [lambda child: child.stop(EXIT_TIMEOUT_S), lambda child: child.process.stdin.close()], ids=["stop", "parent"]
)
def test_a_child_can_remove_its_files_when_it_is_stopped_or_its_parent_ends(tmp_path, end):
    """The pipe that is the child's standard input closes when the parent ends, however it ends."""
    child = Child(make_and_remove, tmp_path / "file", quiet=True)
    assert child.pipe.recv() == "made"
    end(child)
    assert child.describe_exit() == "0"
    assert list(tmp_path.iterdir()) == []
    child.stop()


def test_an_argument_that_cannot_be_sent_leaves_no_child():
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text()
    with pytest.raises(Exception, match="pickle"):
        child_process.run(double, lambda: 1)
    assert children.read_text() == before


def test_a_child_is_killed_at_the_end_of_the_block(tmp_path):
    with Child(make_and_remove, tmp_path / "file", quiet=True) as child:
        assert child.pipe.recv() == "made"
    assert child.describe_exit() == "SIGKILL"


def lingering(path):
    """Start a process whose child lingers; the child writes its process id to ``path``."""
    code = (
        "from copilot import child_process; from tests.unit.test_child_process import linger; "
        f"child_process.run(linger, {str(path)!r})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    return parent, wait_for(path)


def linger(path):
    beside = Path(path).with_suffix(".part")
    beside.write_text(str(os.getpid()))
    beside.rename(path)
    time.sleep(60)


def wait_for(path):
    for _ in range(300):
        if path.exists():
            return int(path.read_text())
        time.sleep(0.1)
    raise AssertionError("the child did not start")


def gone(pid):
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False
