"""Fine-tuning from the command line: a tiny base, a corpus of made-up people, and what is refused."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs requirements-dev.txt")

from copilot import emotions, prompt
from copilot.person import Person
from copilot.pipeline import EncodedEeg
from copilot.training import finetune, splits
from copilot.training.dataset.jsonl import LabelledSegment, SegmentSource, receipt_path, write_corpus
from copilot.training.finetune.schedule import FinetunePlan
from tests.helpers.tiny_checkpoint import TEMPLATE, make_checkpoint, make_tokenizer

ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
SCHEDULE = """\
tokens = 2048
[adapter]
rank = 8
alpha = 32
dropout = 0.5
[text]
epochs = 1
rate = 1e-3
l1 = 1e-6
[[steps]]
epochs = 1
rate = 1e-2
sampling_hz = 250
[[steps]]
epochs = 1
rate = 1e-2
sampling_hz = 1000
"""

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",  # torch, transformers and peft about each other
    "ignore::FutureWarning",
    "ignore::UserWarning",
)


def segments(people: int):
    """Nine emotions of each person, in letters that give them away; the third person is kept back."""
    for subject in range(people):
        for emotion in range(9):
            letters = " ".join("abcdefghi"[emotion] * 3)
            split = splits.TEST if subject == 2 else splits.TRAIN
            hz = 250.0 if subject % 2 == 0 else 1000.0
            person = Person("female", 20 + subject)
            yield LabelledSegment(
                f"sub{subject}",
                "1",
                (0, 10),
                emotion,
                person,
                split,
                hz,
                EncodedEeg((letters,), "bands", "person", emotions.uniform_probabilities()),
            )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a base whose tokenizer knows its words, and a schedule."""
    folder = tmp_path_factory.mktemp("finetune")
    write_corpus(
        SegmentSource(segments(3), {"made": "up"}), folder / "corpus.jsonl", codec="bands", with_evidence=False
    )
    lines = (folder / "corpus.jsonl").read_text()
    texts = [value for line in lines.splitlines() for value in map(str, json.loads(line).values())]
    labels = [" ".join(["it is", *emotions.EMOTIONS])] * 20
    tokenizer = make_tokenizer([*texts, *labels], size=1200)
    make_checkpoint(folder / "base", tokenizer=tokenizer, max_position_embeddings=2048)
    (folder / "schedule.toml").write_text(SCHEDULE)
    (folder / "text.txt").write_text("The signal is calm and even.\n" * 1000)
    return folder


def command(folder: Path, out: Path, **changed: object) -> list[str]:
    options = {"base": folder / "base", "corpus": folder / "corpus.jsonl", "schedule": folder / "schedule.toml"}
    return [str(part) for name, value in (options | {"out": out} | changed).items() for part in (f"--{name}", value)]


def run(*given: str, launcher: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """In a process of its own, with one thread: two runs can only be the same to the last bit with as many each."""
    command = [sys.executable, *launcher, "-m", "copilot.training.finetune", *given]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def tuned(folder: Path) -> Path:
    """What strategy 1 makes, and what it prints."""
    done = run(*command(folder, folder / "tuned"))
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    (folder / "said.txt").write_text(done.stderr)
    return folder / "tuned"


def test_strategy_1_leaves_an_adapter_that_can_be_merged(folder: Path, tuned: Path, tmp_path: Path) -> None:
    from convert.merge import merge

    assert not (folder / "tuned.work").exists()
    assert not (tuned / "base").exists(), "it is a folder already"
    assert f"convert all --base {folder / 'base'} --adapter {tuned}" in (folder / "printed.txt").read_text()
    assert all(line.startswith("step-") for line in (folder / "said.txt").read_text().splitlines())
    assert merge(folder / "base", tuned, tmp_path / "merged").passed


def test_its_receipt_says_what_was_learned_and_with_which_losses(folder: Path, tuned: Path) -> None:
    receipt = json.loads((tuned / "finetuning.json").read_text())
    assert list(receipt["losses"]) == ["step-1", "step-2"]
    assert receipt["corpus_sha256"] == hashlib.sha256((folder / "corpus.jsonl").read_bytes()).hexdigest()
    assert receipt["prompt_version"] == prompt.PROMPT_VERSION
    assert json.loads((tuned / "metadata.json").read_text())["codec"] == "bands"


def test_strategy_2_in_two_processes_trains_the_base_on_plain_text_first_and_keeps_it(
    folder: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    out = tmp_path / "tuned"
    given = command(folder, out, strategy=2, text=folder / "text.txt")
    done = run(*given, launcher=("-m", "torch.distributed.run", "--nproc-per-node", "2"))
    assert done.returncode == 0, done.stderr
    before, after = (load_file(base / "model.safetensors") for base in (folder / "base", out / "base"))
    assert all(not np.array_equal(before[name], after[name]) for name in before)
    receipt = json.loads((out / "finetuning.json").read_text())
    assert list(receipt["losses"]) == ["text", "step-1", "step-2"]
    assert receipt["processes"] == 2
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(out / "base")


def test_only_people_of_the_training_split_are_learned(folder: Path, tuned: Path, tmp_path: Path) -> None:
    """The lines of the person kept back are made nonsense; the adapter stays the same to the last bit."""
    lines = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    kept_back = [line for line in lines if line["split"] == "test"]
    assert kept_back
    for line in kept_back:
        line["treatment"], line["emotion_label"] = "Nonsense.", "anger"
    assert run(*command(folder, tmp_path / "other", corpus=rewritten(folder, tmp_path, lines))).returncode == 0
    assert weights(tmp_path / "other") == weights(tuned)


def weights(out: Path) -> bytes:
    return (out / "adapter_model.safetensors").read_bytes()


def rewritten(folder: Path, to: Path, lines: list[dict], **receipt: object) -> Path:
    """The corpus with other lines, and a receipt that fits them."""
    corpus = to / "corpus.jsonl"
    corpus.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    facts = json.loads(receipt_path(folder / "corpus.jsonl").read_text())
    facts |= {"sha256": hashlib.sha256(corpus.read_bytes()).hexdigest()} | receipt
    receipt_path(corpus).write_text(json.dumps(facts))
    return corpus


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object, **options: object) -> str:
    """What is said where fine-tuning does not start; nothing is left behind."""
    given = command(*arguments, **options)
    assert finetune.main(given) == 2
    out = Path(given[given.index("--out") + 1])
    assert not list(out.parent.glob(f"{out.name}*"))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompt_version": "0"}, "another prompt version"),
        ({"system_sha256": "0" * 64}, "another system"),
        ({"labels": ["joy"]}, "another labels"),
        ({"codec_parameters": {"step": 9}}, "another codec parameters"),
        ({"sha256": "0" * 64}, "not the file that its receipt describes"),
    ],
)
def test_a_corpus_of_other_prompts_is_refused(folder: Path, tmp_path: Path, capsys, change, said: str) -> None:
    lines = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    corpus = rewritten(folder, tmp_path, lines, **change)
    assert said in refusal(capsys, folder, tmp_path / "out", corpus=corpus)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{broken\n", "Line 2 of"),
        ('{"prompt": 3}\n', "Line 2 of"),
        ({"emotion_label": "boredom"}, "'boredom', which is none of the nine"),
        ({"prompt": "a <|im_start|>assistant\n"}, "Line 2 of"),
        ({"prompt": "a b c " * 2000}, "reads 2048 at most"),
    ],
)
def test_a_damaged_line_is_named(folder: Path, tmp_path: Path, capsys, line, said: str) -> None:
    lines = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    lines[1] = line if isinstance(line, str) else lines[1] | line
    assert said in refusal(capsys, folder, tmp_path / "out", corpus=rewritten(folder, tmp_path, lines))


def test_a_corpus_with_nobody_to_learn_from_is_refused(folder: Path, tmp_path: Path, capsys) -> None:
    lines = [json.loads(line) | {"split": "test"} for line in (folder / "corpus.jsonl").read_text().splitlines()]
    said = refusal(capsys, folder, tmp_path / "out", corpus=rewritten(folder, tmp_path, lines))
    assert "no line whose split is train" in said


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, "no chat template"),
        (TEMPLATE.replace("<|im_end|>\n", "<|im_end|>"), "otherwise than this training does"),
        (TEMPLATE.replace("assistant\n{% endif", "assistant\n<think>{% endif"), "otherwise than this training does"),
        ("{{ raise_exception('no system message') }}", "cannot be used"),
    ],
)
def test_a_base_that_talks_otherwise_is_refused(folder: Path, tmp_path: Path, capsys, template, said: str) -> None:
    from transformers import AutoTokenizer

    base = tmp_path / "base"
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    tokenizer.chat_template = template
    make_checkpoint(base, tokenizer=tokenizer, max_position_embeddings=2048)
    assert said in refusal(capsys, folder, tmp_path / "out", base=base)


def test_a_base_that_cannot_tell_two_labels_apart_at_one_place_is_refused(folder: Path, tmp_path: Path, capsys) -> None:
    make_checkpoint(tmp_path / "base", tokenizer=make_tokenizer(), max_position_embeddings=4096)
    said = refusal(capsys, folder, tmp_path / "out", base=tmp_path / "base")
    assert "begins two of the nine emotions with the same token" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"base": "/no/such/folder"}, "neither a folder nor a name on the Hub"),
        ({"corpus": "no.jsonl"}, "no.jsonl is not there"),
        ({"schedule": "no.toml"}, "no.toml cannot be read"),
        ({"strategy": 2}, "needs plain text"),
        ({"text": "some.txt"}, "strategy 1 uses none"),
    ],
)
def test_wrong_input_is_one_sentence(folder: Path, tmp_path: Path, capsys, options, said: str) -> None:
    assert said in refusal(capsys, folder, tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("old", "new"), [("rate = 1e-2", "rate = 0"), ("epochs = 1", "epoch = 1"), ("[adapter]", "[lora]"), ("[", "[[[")]
)
def test_a_wrong_schedule_is_refused(folder: Path, tmp_path: Path, capsys, old: str, new: str) -> None:
    (tmp_path / "wrong.toml").write_text(SCHEDULE.replace(old, new))
    assert "is no schedule" in refusal(capsys, folder, tmp_path / "out", schedule=tmp_path / "wrong.toml")


def test_a_schedule_for_people_whom_the_corpus_does_not_have_is_refused(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "other.toml").write_text(SCHEDULE.replace("1000", "512"))
    assert "recorded at 512 Hz" in refusal(capsys, folder, tmp_path / "out", schedule=tmp_path / "other.toml")


def test_the_paper_s_schedule_is_the_paper_s() -> None:
    plan = FinetunePlan.read("paper")
    assert (plan.adapter.rank, plan.adapter.alpha, plan.adapter.dropout) == (8, 32, 0.5)
    assert [(step.epochs, step.rate, step.sampling_hz) for step in plan.steps] == [(3, 1e-5, 250)] * 4 + [
        (3, 1e-5, 1000)
    ]
    assert (plan.text.epochs, plan.text.rate) == (40, 1e-5)
    assert plan.text.l1 > 0
    assert plan.text.weight_decay > 0


def test_stopped_it_goes_on_to_the_same_adapter_and_another_task_is_refused(
    folder: Path, tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = command(folder, tmp_path / "out")
    process = subprocess.Popen(
        [sys.executable, "-m", "copilot.training.finetune", *given],
        cwd=ROOT,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "out.work" / "step-1").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.splitlines()[-1] == "Interrupted; the same command resumes from the state of the last minute."
    assert finetune.main([*given, "--schedule", "paper"]) == 2
    assert "the beginning of another fine-tuning" in capsys.readouterr().err
    done = run(*given)
    assert "step-1: step" not in done.stderr
    assert weights(tmp_path / "out") == weights(tuned)


def test_the_project_s_own_base_needs_nothing_but_the_corpus(folder: Path, tmp_path: Path, capsys) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = tmp_path / "tuned"
    one_step = SCHEDULE.partition("[[steps]]")[0] + "[[steps]]\nepochs = 1\nrate = 1e-3\nsampling_hz = 1000\n"
    (tmp_path / "short.toml").write_text(one_step)
    assert finetune.main(command(folder, out, base="new", schedule=tmp_path / "short.toml")) == 0
    assert re.search(r"^Warning: \d+ steps teach an untrained base next to nothing", capsys.readouterr().err, re.M)
    assert AutoModelForCausalLM.from_pretrained(out / "base").num_parameters() > 3e6
    assert len(AutoTokenizer.from_pretrained(out / "base")(" tenderness").input_ids) == 1
    assert json.loads((out / "finetuning.json").read_text())["base"] == "new"
