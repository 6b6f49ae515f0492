"""The training loop: it learns, it goes on after being killed as if it had not been, and many processes are as one."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs requirements-dev.txt")

from copilot.training.faced import CorpusError
from copilot.training.finetune import trainer
from copilot.training.finetune.schedule import Schedule
from tests.helpers.tiny_training import LABELS, make_batches, make_model

ROOT = Path(__file__).parents[3]
ALONE = [sys.executable, "-m", "tests.helpers.tiny_training"]
TOGETHER = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]  # as ``accelerate launch`` does
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning",  # transformers about its own names
)


def started(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(command: list[str]) -> None:
    process = started(command)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def test_killed_at_any_moment_it_reaches_the_same_weights_bit_by_bit(tmp_path: Path) -> None:
    """With dropout, whose random numbers have to go on as well."""
    command = [*ALONE, "--dropout", "0.5", "--steps", "100"]
    finished([*command, str(tmp_path / "whole")])
    moments, steps = random.Random(0), [0]
    for _ in range(2):
        process = started([*command, str(tmp_path / "killed")])
        while reached(tmp_path / "killed") <= steps[-1]:
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        steps.append(reached(tmp_path / "killed"))
    assert steps[-1] < 100, "the last kill came too late to show anything"
    finished([*command, str(tmp_path / "killed")])
    whole, killed = ((tmp_path / name / "result.safetensors").read_bytes() for name in ("whole", "killed"))
    assert whole == killed


def reached(folder: Path) -> int:
    return max((int(path.name) for path in folder.glob("state/[0-9]*")), default=0)


def test_two_processes_with_half_a_batch_each_learn_what_one_learns_with_all_of_it(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    finished([*TOGETHER, "-m", "tests.helpers.tiny_training", str(tmp_path), "--steps", "4"])
    halves = make_batches()
    model = make_model()
    before = [p.detach().clone() for p in model.parameters()]
    whole = [next(halves) + next(halves) for _ in range(4)]
    trainer.train(model, whole, Schedule(steps=4, rate=1e-2, warmup=5), LABELS, tmp_path / "alone", "alone")
    apart = load_file(tmp_path / "result.safetensors")
    names = [name for name, _ in model.named_parameters()]
    ways = [
        np.concatenate([(weights[name] - start).ravel() for name, start in zip(names, before, strict=True)])
        for weights in (apart, {name: p.detach() for name, p in model.named_parameters()})
    ]
    assert np.corrcoef(ways)[0, 1] > 0.999, "0.62 with one half of each batch alone"


def test_it_learns_what_is_there_to_learn_and_prints_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = Schedule(steps=150, rate=2e-2, warmup=10, weight_decay=0.0)
    reached = trainer.train(make_model(), make_batches(size=16), schedule, LABELS, tmp_path / "state", "tiny")
    assert reached.label < 0.3 < np.log(9)
    assert reached.answer == pytest.approx(np.log(20), abs=0.3), "random tokens cannot be learned"
    assert "tiny: step 150/150, answer" in capsys.readouterr().err


def test_the_state_of_another_schedule_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    schedule = Schedule(steps=2, rate=1e-2)
    trainer.train(make_model(), make_batches(), schedule, LABELS, tmp_path, "tiny")
    with pytest.raises(CorpusError, match="remove that folder to begin anew"):
        trainer.train(make_model(), make_batches(), replace(schedule, steps=3), LABELS, tmp_path, "tiny")


def test_an_l1_penalty_makes_weights_smaller(tmp_path: Path) -> None:
    def size(l1: float) -> float:
        model = make_model()
        schedule = Schedule(steps=20, rate=1e-2, warmup=1, weight_decay=0.0, l1=l1)
        trainer.train(model, make_batches(), schedule, LABELS, tmp_path / str(l1), "tiny")
        return sum(float(p.detach().abs().sum()) for p in model.parameters())

    assert size(0.01) < 0.9 * size(0.0)


def test_the_rate_rises_in_a_line_and_falls_to_a_twentieth() -> None:
    schedule = Schedule(steps=100, rate=2.0, warmup=10)
    rates = [schedule.rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) * 0.2)
    assert rates[10] == 2.0
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)
