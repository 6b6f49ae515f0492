import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copilot import emotions, prompt
from copilot.emotions import EMOTIONS
from copilot.person import Person
from copilot.pipeline import EncodedEeg
from copilot.result import parse_answer
from copilot.training import answer_templates, dataset, splits
from copilot.training.dataset import jsonl
from copilot.training.dataset.jsonl import LabelledSegment, make_records
from copilot.training.faced import Faced
from tests.helpers.features_file import simulated_faced, write_features

INFO = "sub,Gender,Age,Cohort ,Sample_rate,Unit\nsub000,F,21,1,1000,V\nsub001,M,33,1,250,V\nsub080,M,20,2,1000,V\n"


def some_faced(strength: float = 0.1) -> Faced:
    """Six people to learn from, the bad one and two kept back."""
    subjects = np.array([0, 1, 2, 3, 4, 5, 23, 80, 81])
    return replace(simulated_faced(people=len(subjects), seed=0, strength=strength), subjects=subjects)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of noise, in which only a decoder that saw a person could know their labels."""
    folder = tmp_path_factory.mktemp("corpus")
    write_features(folder / "faced.npz", some_faced(strength=0.0))
    (folder / "info.csv").write_text(INFO)
    command = ["--features", str(folder / "faced.npz"), "--info", str(folder / "info.csv"), "--codec", "bands"]
    assert dataset.main([*command, "--out", str(folder / "corpus.jsonl")]) == 0
    return folder


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]


def segment(
    emotion: int = 7, person: Person | None = None, texts: tuple[str, ...] = ("a b c",), codec: str = "bands"
) -> LabelledSegment:
    sure = np.full(9, 0.05)
    sure[7] = 0.6
    return LabelledSegment(
        "sub001",
        "4",
        (0, 10),
        emotion,
        person or Person(),
        splits.TRAIN,
        250.0,
        EncodedEeg(texts, codec, "person", sure),
    )


def test_every_stretch_is_there_with_and_without_baseline_and_evidence(lines: list[dict]) -> None:
    per_person = Counter(line["subject"] for line in lines)
    assert set(per_person.values()) == {28 * 4 * 2 * 2}
    assert len(per_person) == 8
    windows = Counter(tuple(line["window"]) for line in lines)
    assert set(windows) == {(0, 10), (10, 20), (20, 30), (0, 30)}
    assert len(set(windows.values())) == 1
    assert Counter(line["compared_with"] for line in lines) == {"person": len(lines) / 2, "population": len(lines) / 2}
    assert Counter(line["evidence"] for line in lines) == {True: len(lines) / 2, False: len(lines) / 2}


def test_the_split_is_the_published_one(lines: list[dict]) -> None:
    for line in lines:
        assert line["split"] == ("test" if line["subject"] in ("sub080", "sub081") else "train")


def test_the_bad_subject_is_left_out_and_the_receipt_says_so(folder: Path, lines: list[dict]) -> None:
    subjects = ("sub000", "sub001", "sub002", "sub003", "sub004", "sub005", "sub080", "sub081")
    assert {line["subject"] for line in lines} == set(subjects)
    receipt = json.loads((folder / "corpus.receipt.json").read_text())
    assert [one["clip"] for one in receipt["left_out"]] == ["sub023"]


def test_a_record_is_the_prompt_of_use_and_an_answer_that_agrees_with_its_label(lines: list[dict]) -> None:
    for line in lines[::37]:
        assert line["prompt"].startswith(prompt.INSTRUCTION)
        assert f"compared with {prompt.COMPARED_WITH[line['compared_with']]}:" in line["prompt"]
        assert ("Film recognised" in line["prompt"]) == line["evidence"]
        answer = f"{prompt.LABEL_PREFIX} {line['emotion_label']}\n{line['treatment']}"
        assessment, suggestions = parse_answer(answer)
        assert assessment
        assert len(suggestions) == 3
        assert not answer_templates.find_other_emotions(line["treatment"], line["emotion_label"])


def test_the_evidence_comes_from_a_decoder_that_did_not_see_the_person(lines: list[dict]) -> None:
    """On noise nobody can be right more often than by chance, which is one in nine."""
    for split in ("train", "test"):
        seen = [line for line in lines if line["evidence"] and line["split"] == split]
        said = [re.findall(r"(\w+) \d+%\.", line["prompt"])[-1] for line in seen]
        right = np.mean([word == line["emotion_label"] for word, line in zip(said, seen, strict=True)])
        assert 0.02 < right < 0.22


def test_what_the_prompt_says_does_not_depend_on_the_label() -> None:
    """The paper's first defect: there the appearance gave the answer away."""
    for evidence in (False, True):
        made = {[*make_records(segment(label), 0, True)][evidence]["prompt"] for label in range(len(EMOTIONS))}
        assert len(made) == 1


def test_people_are_as_the_table_says_and_else_drawn_once_for_all(lines: list[dict]) -> None:
    said = {line["subject"]: set() for line in lines}
    for line in lines:
        said[line["subject"]].add(re.search(r"Person: (.*?)\.", line["prompt"])[1])
    assert said["sub000"] == {"female, 21 years"}
    assert said["sub001"] == {"male, 33 years"}
    assert all(len(found) == 1 for found in said.values())
    assert len(set.union(*said.values())) > 4


def test_words_of_their_own_come_and_go_but_are_kept_where_they_are_known() -> None:
    known = segment(person=Person("other", 95, complaint="cannot sleep"))
    made = [next(make_records(replace(known, clip=str(clip)), 0, False))["prompt"] for clip in range(60)]
    assert all('Complaint in their own words: "cannot sleep".' in text for text in made)
    assert all("Person: other, 90+ years." in text for text in made)
    assert 5 < sum("Appearance in their own words" in text for text in made) < 55


def test_the_confidence_is_the_decoders_where_it_is_right() -> None:
    sure, wrong = (next(make_records(segment(label), 0, False)) for label in (7, 2))
    assert sure["treatment"].startswith(
        f"Confidence: {emotions.grade_confidence(segment().eeg.evidence)}\nAssessment: "
    )
    assert wrong["treatment"].startswith("Confidence: unclear\nAssessment: ")


def test_ten_texts_make_ten_numbered_prompts() -> None:
    made = list(make_records(segment(texts=tuple("abcdefghij"), codec="wavelet-segments"), 0, False))
    assert [record["segment"] for record in made] == [[n, 10] for n in range(1, 11)]
    assert "EEG segment 3 of 10, compared with the person's own baseline:\nc" in made[2]["prompt"]


def test_sampling_rates_come_from_the_table(lines: list[dict]) -> None:
    rates = {line["subject"]: line["sampling_hz"] for line in lines}
    assert (rates["sub000"], rates["sub001"], rates["sub080"], rates["sub002"]) == (1000.0, 250.0, 1000.0, None)


def test_the_receipt_says_how_the_corpus_was_made(folder: Path, lines: list[dict]) -> None:
    receipt = json.loads(jsonl.receipt_path(folder / "corpus.jsonl").read_text())
    assert receipt["prompt_version"] == prompt.PROMPT_VERSION
    assert receipt["system_sha256"] == hashlib.sha256(prompt.SYSTEM.encode()).hexdigest()
    assert receipt["sha256"] == hashlib.sha256((folder / "corpus.jsonl").read_bytes()).hexdigest()
    assert (receipt["codec"], receipt["codec_parameters"]) == ("bands", {"step": 0.2})
    assert receipt["lines"] == len(lines)
    assert receipt["counts"]["emotion_label"] == Counter(line["emotion_label"] for line in lines)
    assert receipt["counts"]["split"] == Counter(line["split"] for line in lines)
    assert receipt["counts"]["subject"] == Counter(line["subject"] for line in lines)


def test_the_same_input_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    options = ["--features", folder / "faced.npz", "--info", folder / "info.csv", "--codec", "bands"]
    command = [sys.executable, "-m", "copilot.training.dataset", *options, "--out", tmp_path / "corpus.jsonl"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    for name in ("corpus.jsonl", "corpus.receipt.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_another_seed_draws_other_people() -> None:
    one, other = (list(make_records(segment(), seed, True)) for seed in (0, 1))
    assert one != other


def test_a_run_that_is_asked_to_end_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    options = ["--features", folder / "faced.npz", "--codec", "bands", "--out", tmp_path / "corpus.jsonl"]
    command = [sys.executable, "-m", "copilot.training.dataset", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        while child.poll() is None and not list(tmp_path.iterdir()):
            time.sleep(0.02)
        child.terminate()
        assert child.stderr.read() == "Interrupted; nothing unfinished was kept.\n"
    assert child.returncode == 2
    assert not list(tmp_path.iterdir())


def test_patterns_are_one_line_for_ten_seconds_and_three_for_a_clip(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.jsonl"
    assert dataset.main(["--features", str(folder / "faced.npz"), "--no-evidence", "--out", str(out)]) == 0
    for line in map(json.loads, out.read_text().splitlines()):
        words = re.findall(r"^(?:[a-z]{3} ){63}[a-z]{3}$", line["prompt"], flags=re.MULTILINE)
        assert len(words) == (3 if line["window"] == [0, 30] else 1)
        assert not line["evidence"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--features", "faced.npz", "--codec", "wavelet"], "contain no raw signal, which wavelet needs"),
        (["--features", "nothing.npz"], "nothing.npz does not exist"),
        (["--features", "kept-back.npz"], "80-81"),
        (["--features", "faced.npz", "--info", "faced.npz"], "is no table"),
        (["--features", "faced.npz", "--labels", "info.csv"], "--labels belongs to --recordings"),
        (["--features", "faced.npz", "--decoder", "d.npz"], "--decoder belongs to recordings"),
        (["--recordings", "."], "--labels table.csv"),
        (["--bids", "."], r"sub-\*"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_and_leaves_nothing(
    arguments: list[str], sentence: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch
) -> None:
    monkeypatch.chdir(folder)
    if not Path("kept-back.npz").exists():
        write_features(Path("kept-back.npz"), replace(simulated_faced(people=2, seed=0), subjects=np.array([80, 81])))
    assert dataset.main([*arguments, "--out", str(tmp_path / "c.jsonl")]) == 2
    said = capsys.readouterr().err
    assert re.search(sentence, said)
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())
