"""Damage files of every kind that the product reads, and look for what it must not do: ``python -m tests.fuzz.run``.

Everything is imported once; each file is then read in a forked child under the product's own limit of memory, so that a
crash, a hang or the memory of one does not touch the next. A case depends on the seed, the kind and its number alone.
Inputs with a finding are kept; the exit status is 1 if there is one.
"""

import argparse
import inspect
import itertools
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from copilot.child_process import limit_resources
from copilot.eeg import sandbox
from copilot.eeg.types import RecordingError
from copilot.web import analysis  # noqa: F401 - imported here, so that no child has to
from tests.fuzz import readers, seeds
from tests.fuzz.mutate import MB, damage

HANG_S = 60
MOST_MB = 1024
"""What reading may take at most, with some 200 MB that the imports take."""
THOROUGH = 0.03
"""The share of cases in which the steps that take long are done too."""
LIMIT_MB = inspect.signature(sandbox.prepare).parameters["memory_mb"].default


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        end: ``read``, ``refused``, ``crashed`` or ``finding``.
        why: what was found.
        seconds, megabytes: what it took.
    """

    end: str
    why: str
    seconds: float
    megabytes: int


def run_case(kind: str, files: seeds.Files, folder: Path, thorough: bool) -> Outcome:
    """Read ``files`` in a forked child, with ``folder``, which is empty, to itself."""
    given, temporary = folder / "given", folder / "temporary"
    temporary.mkdir()
    for name, content in files:
        path = given / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    paths = sorted({given / name.split("/")[0] for name, _ in files})
    ours, theirs = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_child(kind, paths, temporary, thorough, theirs)
    os.close(theirs)
    told, hangs = _listen(ours, began + HANG_S)
    if hangs:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    seconds, megabytes = time.monotonic() - began, usage.ru_maxrss // 1024
    left = [path.name for path in temporary.rglob("*")]
    if hangs:
        end, why = "finding", f"hangs: more than {HANG_S} s"
    elif os.WIFSIGNALED(status):
        end, why = _crashed(kind, paths, os.WTERMSIG(status))
    elif not told:
        end, why = "finding", f"ended with status {status} without a word"
    else:
        end, why = json.loads(told)
    if end in ("read", "refused"):
        if megabytes > MOST_MB:
            end, why = "finding", f"takes {megabytes} MB"
        elif left:
            end, why = "finding", f"leaves {len(left)} files behind"
    return Outcome(end, why, seconds, megabytes)


def _be_child(kind: str, paths: list[Path], temporary: Path, thorough: bool, pipe: int) -> None:
    """Read, tell the outcome and end; never returns."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        limit_resources(sandbox.READING_MB * 2**20, most=LIMIT_MB * 2**20)
        tempfile.tempdir = str(temporary)
        try:
            outcome = (readers.examine(kind, paths, thorough), "")
        except readers.Fault as fault:
            outcome = ("finding", str(fault))
        except MemoryError:  # the worker has a sentence for it
            outcome = ("refused", "")
        os.write(pipe, json.dumps(outcome).encode())
    finally:
        os._exit(0)


def _listen(pipe: int, deadline: float) -> tuple[bytes, bool]:
    """What the child tells, and whether it is still silent at the deadline."""
    with os.fdopen(pipe, "rb") as told:
        while (left := deadline - time.monotonic()) > 0:
            if select.select([told], [], [], left)[0]:
                return told.read(), False
    return b"", True


def _crashed(kind: str, paths: list[Path], number: int) -> tuple[str, str]:
    """A reader of recordings may crash, as it has a process of its own, if the person gets a sentence."""
    name = signal.Signals(number).name
    if kind not in seeds.RECORDINGS:
        return "finding", f"crash: {name}"
    try:
        for _ in sandbox.prepare(paths):
            pass
    except RecordingError as error:
        return "crashed", str(error)
    except Exception as error:
        return "finding", f"crash: {name}, told as {type(error).__name__}: {error}"
    return "crashed", f"{name}, but not a second time"


def make_case(
    kind: str, intact: Sequence[seeds.Files], others: Sequence[bytes], seed: int, number: int
) -> tuple[seeds.Files, str, bool, str]:
    """The files of a case, its number as text, whether it is a thorough one, and what was done to the intact files."""
    dice = random.Random(f"{seed} {kind} {number}")
    files = list(dice.choice(intact))
    at = 0 if dice.random() < 0.6 else dice.randrange(len(files))
    name, content = files[at]
    if dice.random() < 0.03:
        content, what = content[: dice.randrange(len(content))] + dice.choice(others), "the end of another kind of file"
    else:
        content, what = damage(dice, name, content)
    files[at] = (name, content)
    if len(files) > 1 and dice.random() < 0.05:
        gone, _ = files.pop(dice.randrange(1, len(files)))
        what += f"; {gone} is missing"
    if kind in seeds.RECORDINGS and dice.random() < 0.03:
        suffix = dice.choice((".edf", ".set", ".fif", ".csv", ".mat", ".npz", ".cnt", ".raw", ".gdf", ""))
        files[0] = (f"renamed{suffix}", files[0][1])
        what += f"; renamed to {suffix or 'no suffix'}"
    return files, str(number), dice.random() < THOROUGH, f"{name}: {what}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run cases of all kinds in turn until the time or their number is reached; return the exit status."""
    parser = argparse.ArgumentParser(description="Damage files of every kind that the product reads.")
    parser.add_argument("--seconds", type=float, default=600, help="stop after this time")
    parser.add_argument("--cases", type=int, help="stop after so many cases of each kind, whatever the time")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--first", type=int, default=0, help="number of the first case of each kind")
    parser.add_argument("--kinds", nargs="+", choices=tuple(seeds.KINDS), default=tuple(seeds.KINDS), metavar="KIND")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="where inputs with a finding are kept")
    given = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (2 * LIMIT_MB * MB,) * 2)  # a mutation of ours must not fill the machine
    print(f"seed {given.seed}, kinds {' '.join(given.kinds)}", flush=True)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in given.kinds}
    slowest, largest = dict.fromkeys(given.kinds, 0.0), dict.fromkeys(given.kinds, 0)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        intact = {kind: _intact(kind, folder) for kind in given.kinds}
        others = [files[0][1][: 2**16] for kinds in intact.values() for files in kinds]
        stop = time.monotonic() + given.seconds
        numbers = itertools.count(given.first) if given.cases is None else range(given.first, given.first + given.cases)
        work = folder / "case"
        whole = [
            (kind, files, f"intact {n}", False, "") for kind in given.kinds for n, files in enumerate(intact[kind])
        ]
        damaged = (
            (kind, *make_case(kind, intact[kind], others, given.seed, number))
            for number in numbers
            for kind in given.kinds
        )
        for kind, files, name, thorough, what in itertools.chain(whole, damaged):
            if given.cases is None and time.monotonic() > stop:
                break
            work.mkdir()
            outcome = run_case(kind, files, work, thorough)
            if not what and outcome.end == "refused":
                outcome = replace(outcome, end="finding", why="refuses an intact file")
            counts[kind][outcome.end] += 1
            slowest[kind] = max(slowest[kind], outcome.seconds)
            largest[kind] = max(largest[kind], outcome.megabytes)
            if outcome.end == "finding":
                kept = given.out / f"{kind}-{given.seed}-{name.replace(' ', '-')}"
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(work / "given", kept)
                print(f"{kind} {name}: {outcome.why}\n    {what}\n    kept in {kept}", flush=True)
            shutil.rmtree(work)
    for kind, ends in counts.items():
        told = ", ".join(f"{ends[end]} {end}" for end in ("read", "refused", "crashed", "finding"))
        print(f"{kind:12} {ends.total():6} files: {told}; at most {slowest[kind]:.1f} s and {largest[kind]} MB")
    print(f"one case again: --seed {given.seed} --kinds KIND --first NUMBER --cases 1")
    return 1 if any(ends["finding"] for ends in counts.values()) else 0


def _intact(kind: str, folder: Path) -> list[seeds.Files]:
    place = folder / kind
    place.mkdir()
    return seeds.make(kind, place)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
