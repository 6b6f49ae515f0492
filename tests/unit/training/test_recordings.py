"""Recordings with a table of labels as the source of a corpus."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from copilot.eeg.classifier import Classifier
from copilot.events import PromptReady
from copilot.person import Person
from copilot.pipeline import prepare_prompt
from copilot.settings import Settings
from copilot.training import dataset, fit_classifier, splits
from copilot.training.dataset import labels
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_edf
from tests.helpers.features_file import simulated_faced


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decoder") / "decoder.npz"
    fit_classifier.fit(simulated_faced(people=6, seed=0)).save(path)
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada: 30 s, then 60 s: the 15th second is loud, the second half has more alpha. Ben: 20 s. And a bad file."""
    folder = tmp_path_factory.mktemp("recordings")
    write_edf(folder / "ada-1.edf", scalp(30, seed=1), 250, TEN_TWENTY)
    long = scalp(60, seed=2, alpha_uv=0)
    long[:, 30 * 250 :] = scalp(30, seed=3, alpha_uv=25)
    long[:, 14 * 250 : 15 * 250] *= 60
    write_edf(folder / "ada-2.edf", long, 250, TEN_TWENTY)
    write_edf(folder / "ben.edf", scalp(20, seed=4), 250, TEN_TWENTY)
    (folder / "bad.edf").write_bytes(b"0       nothing")
    return folder


TABLE = """file,emotion,subject,start,stop,gender,age,appearance,complaint,history
ada-1.edf,Joy,ada,,,F,31,pale,sleeps badly,none known
ada-2.edf,fear,ada,0,30,F,31,pale,sleeps badly,none known
ada-2.edf,neutral,ada,30,60,F,31,pale,sleeps badly,none known
ada-2.edf,neutral,ada,55,60,F,31,pale,sleeps badly,none known
ben.edf,anger,ben,,,M,40,tired,none,healthy
bad.edf,anger,ben,,,M,40,tired,none,healthy
"""
ADA = Person("female", 31, "pale", "sleeps badly", "none known")
BEN = Person("male", 40, "tired", "none", "healthy")


def written(command: list[str | Path], out: Path) -> list[dict]:
    assert dataset.main([str(part) for part in [*command, "--out", out]]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.fixture(scope="module")
def lines(recordings: Path, decoder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    out = tmp_path_factory.mktemp("written") / "corpus.jsonl"
    (out.parent / "labels.csv").write_text(TABLE)
    command = ["--recordings", recordings, "--labels", out.parent / "labels.csv", "--decoder", decoder]
    return written([*command, "--codec", "bands"], out)


def in_use(files: list[Path], person: Person, codec: str, decoder: Path) -> list[str]:
    """The prompts that a model trained for this codec gets of the first file, the others being its baselines."""
    walk = prepare_prompt(
        files[:1],
        person,
        settings=Settings(protocol="faced-films"),
        metadata={"codec": codec},
        classifier=Classifier.load(decoder),
        baselines=files[1:],
    )
    return [event.messages[-1]["content"] for event in walk if isinstance(event, PromptReady)]


def test_a_prompt_is_byte_for_byte_the_one_of_use(lines: list[dict], recordings: Path, decoder: Path) -> None:
    made = [line["prompt"] for line in lines if line["subject"] == "ben" and line["window"] == [0, 20]]
    assert in_use([recordings / "ben.edf"], BEN, "bands", decoder) == made[1:]


@pytest.mark.parametrize("codec", ["patterns", "wavelet"])
def test_so_is_one_with_a_baseline_whatever_the_codec(
    codec: str, recordings: Path, decoder: Path, tmp_path: Path
) -> None:
    files = [recordings / "ada-1.edf", recordings / "ben.edf"]
    row = "{},joy,ada,F,31,pale,sleeps badly,none known\n"
    heading = "file,emotion,subject,gender,age,appearance,complaint,history\n"
    (tmp_path / "t.csv").write_text(heading + "".join(row.format(file.name) for file in files))
    command = ["--recordings", recordings, "--labels", tmp_path / "t.csv", "--decoder", decoder, "--codec", codec]
    found = written(command, tmp_path / "c.jsonl")
    wanted = [r for r in found if r["window"] == [0, 30] and r["compared_with"] == "person" and r["evidence"]]
    assert in_use(files, ADA, codec, decoder) == [record["prompt"] for record in wanted]


def test_windows_are_cut_where_the_table_says(lines: list[dict]) -> None:
    """More alpha in the second half of Ada's long recording: its letters are further up in the alphabet."""

    def alpha(emotion: str) -> float:
        seen = [r for r in lines if r["subject"] == "ada" and r["emotion_label"] == emotion and not r["evidence"]]
        text = next(r["prompt"] for r in seen if r["window"] == [0, 30] and r["compared_with"] == "person")
        letters = re.search(r"^(?:[a-z] ){149}[a-z]$", text, flags=re.MULTILINE)[0].split(" ")
        return np.mean([ord(letter) for letter in letters[2::5] if letter != "z"])

    assert alpha("neutral") > alpha("fear") + 5


def test_windows_with_a_loud_second_are_left_out(lines: list[dict]) -> None:
    windows = {emotion: set() for emotion in ("joy", "fear", "neutral", "anger")}
    for line in lines:
        windows[line["emotion_label"]].add(tuple(line["window"]))
    assert windows["joy"] == windows["neutral"] == {(0, 10), (10, 20), (20, 30), (0, 30)}
    assert windows["fear"] == {(0, 10), (20, 30), (0, 30)}
    assert windows["anger"] == {(0, 10), (10, 20), (0, 20)}


def test_who_has_one_trial_only_has_no_baseline(lines: list[dict]) -> None:
    compared = {(line["subject"], line["compared_with"]) for line in lines}
    assert compared == {("ada", "person"), ("ada", "population"), ("ben", "population")}


def test_the_split_is_by_the_name_of_the_subject(lines: list[dict]) -> None:
    assert {(line["subject"], line["split"]) for line in lines} == {
        (name, splits.assign_other_subject(name)) for name in ("ada", "ben")
    }


def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(
    recordings: Path, decoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "t.csv").write_text(
        "file,emotion,start,stop\nbad.edf,joy,,\ngone.edf,joy,,\nben.edf,joy,2,8\nben.edf,joy,,\n"
    )
    command = ["--recordings", recordings, "--labels", tmp_path / "t.csv", "--decoder", decoder]
    assert written(command, tmp_path / "c.jsonl")
    left_out = json.loads((tmp_path / "c.receipt.json").read_text())["left_out"]
    assert [one["clip"] for one in left_out] == ["bad.edf", "ben from 2 s", "gone.edf"]
    assert "6.0 s" in left_out[1]["reason"]
    assert capsys.readouterr().err.count("Left out: ") == 3


def test_nothing_usable_is_a_sentence(
    recordings: Path, decoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "t.csv").write_text("file,emotion\nbad.edf,joy\n")
    command = ["--recordings", recordings, "--labels", tmp_path / "t.csv", "--decoder", decoder]
    assert dataset.main([str(part) for part in [*command, "--out", tmp_path / "c.jsonl"]]) == 2
    assert "bad.edf" in capsys.readouterr().err
    assert not (tmp_path / "c.jsonl").exists()


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("file\nx.edf\n", "no column emotion; it has: file"),
        ("file,emotion\n", "no rows"),
        ("file,emotion\nx.edf,happy\n", "row 2: emotion 'happy' is none of: anger, disgust"),
        ("file,emotion\n../x.edf,joy\n", "row 2: file has to be a path inside"),
        ("file,emotion\n/etc/passwd,joy\n", "row 2: file has to be a path inside"),
        ("file,emotion,start\nx.edf,joy,\nx.edf,joy,soon\n", "row 3: start is 'soon'"),
        ("file,emotion,start,stop\nx.edf,joy,30,30\n", "row 2: stop is not after start"),
        ("file,emotion,gender\nx.edf,joy,lady\n", "row 2: gender 'lady'"),
        ("file,emotion,age\nx.edf,joy,130\n", "row 2: Age is 130"),
        ("file,emotion,complaint\nx.edf,joy," + "x" * 601 + "\n", "row 2: Complaint has 601 characters"),
        (b"file,emotion\n\xff\xfe,joy\n", "is no table"),
        (b'file,emotion\n"x.edf,joy\n', "is no table"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_says_what_cannot_be_is_a_sentence(
    table: str | bytes | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    if table is not None:
        (tmp_path / "t.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    command = ["--recordings", tmp_path, "--labels", tmp_path / "t.csv", "--out", tmp_path / "c.jsonl"]
    assert dataset.main([str(part) for part in command]) == 2
    assert sentence in capsys.readouterr().err


def test_a_table_without_subjects_makes_every_file_a_person(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,emotion\na/one.edf,joy\na/two.edf,JOY\n")
    assert [one.subject for one in labels.read_label_table(tmp_path, tmp_path / "t.csv")] == ["a/one", "a/two"]
