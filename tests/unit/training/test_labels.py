import json
from pathlib import Path

import pytest

from copilot.training import dataset, fit_classifier
from copilot.training.dataset import labels
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_brainvision, write_edf
from tests.helpers.features_file import simulated_faced


def bids_folder(folder: Path, *, column: str = "trial_type", emotions: tuple[str, ...] = ("Joy", "fear")) -> Path:
    """Two people with two films each; the second is a BrainVision recording in a session folder."""
    events = f"onset\tduration\t{column}\tstim_file\n1.5\t10.2\t{emotions[0]}\tsea.mp4\n12\t10\t{emotions[1]}\tn/a\n"
    events += "-1\t1\tfixation\tn/a\nn/a\tn/a\tjoy\tn/a\n"
    one, two = folder / "sub-01" / "eeg", folder / "sub-02" / "ses-a" / "eeg"
    for place in (one, two):
        place.mkdir(parents=True)
    write_edf(one / "sub-01_task-film_eeg.edf", scalp(24, seed=5), 250, TEN_TWENTY)
    (one / "sub-01_task-film_eeg.json").write_text('{"SamplingFrequency": 1000}')
    write_brainvision(two / "sub-02_ses-a_task-film_eeg.vhdr", scalp(24, seed=6), 250, TEN_TWENTY)
    (one / "sub-01_task-film_events.tsv").write_text(events)
    (two / "sub-02_ses-a_task-film_events.tsv").write_text(events)
    (folder / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t21\tF\nsub-02\tn/a\tn/a\n")
    return folder


def test_a_bids_folder_is_read_with_its_events_and_participants(tmp_path: Path) -> None:
    folder = bids_folder(tmp_path / "data")
    decoder, out = tmp_path / "decoder.npz", tmp_path / "c.jsonl"
    fit_classifier.fit(simulated_faced(people=6, seed=0)).save(decoder)
    assert dataset.main(["--bids", str(folder), "--decoder", str(decoder), "--out", str(out)]) == 0
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(r["subject"], r["emotion_label"], r["clip"]) for r in found} == {
        ("sub-01", "joy", "sea.mp4"),
        ("sub-01", "fear", "sub-01_task-film from 12 s"),
        ("sub-02", "joy", "sea.mp4"),
        ("sub-02", "fear", "sub-02_ses-a_task-film from 12 s"),
    }
    assert {(r["subject"], r["sampling_hz"], r["split"]) for r in found} == {
        ("sub-01", 1000.0, "train"),
        ("sub-02", None, "test"),
    }
    assert all("Person: female, 21 years." in r["prompt"] for r in found if r["subject"] == "sub-01")
    assert len(found) == 2 * 2 * 2 * 2  # people, films, compared with, evidence


def test_the_label_column_can_be_named(tmp_path: Path) -> None:
    folder = bids_folder(tmp_path, column="Feeling")
    assert [one.start for one in labels.read_bids(folder, "feeling")] == [1.5, 12.0, 1.5, 12.0]


def test_events_that_name_no_emotion_are_a_sentence_that_says_what_they_name(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = bids_folder(tmp_path / "data", emotions=("happy", "scared"))
    (folder / "sub-01/eeg/sub-01_task-film_events.tsv").write_text("onset\tduration\ttrial_type\n1\t10\thappy\n")
    (folder / "sub-02/ses-a/eeg/sub-02_ses-a_task-film_events.tsv").write_text("onset\tduration\n1\t10\n")
    assert dataset.main(["--bids", str(folder), "--out", str(tmp_path / "c.jsonl")]) == 2
    said = capsys.readouterr().err
    assert "trial_type has happy" in said
    assert "--label-column" in said


def test_emotions_without_a_duration_are_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = bids_folder(tmp_path / "data")
    for events in folder.rglob("*_events.tsv"):
        events.write_text("onset\tduration\ttrial_type\n1\t0\tjoy\n2\tn/a\tjoy\n")
    assert dataset.main(["--bids", str(folder), "--out", str(tmp_path / "c.jsonl")]) == 2
    assert "have no duration" in capsys.readouterr().err
