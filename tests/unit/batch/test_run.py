"""A folder of recordings to records and one summary, with the model in the box in processes of their own."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from copilot import NOTICE
from copilot.batch import participants, results
from copilot.batch.worker import BatchError, Outcome
from copilot.eeg import recording_files, simulate
from copilot.emotions import EMOTIONS
from copilot.record.export.json_format import from_json
from copilot.settings import ROOT
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_brainvision, write_edf

TABLE = """file,participant_id,age,gender,complaint,name,number,baseline
P1_jane_doe.edf,,34,F,sleeps badly,Jane Doe,MRN-77,ward b/P2_john_roe.edf
,P2,forty John Roe,M,,,,ward b/P9_mary_major.edf
absent_mary_major.edf,,20,F,,Mary Major,,
,,20,F,,Mary Major,,
P1_jane_doe.edf,,35,F,,Jane Doe,,
"""
#: What is in names of files, in headers of recordings or in the table, and must be where it is meant to be alone.
NAMES = re.compile(r"(?<![a-z])(jane|doe|john|roe|mary|major|ward b|mrn\W*77)(?![a-z])", re.IGNORECASE)


def edf(path, seed, seconds=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = simulate.simulate(seconds, channels=TEN_TWENTY, seed=seed).data
    return write_edf(path, wave, 250, TEN_TWENTY, patient="MRN-77 F 01-JAN-1985 Mary_Major")


def folder_of(folder, count):
    for number in range(count):
        edf(folder / f"P{number}_jane_doe.edf", number)
    return folder


def command(folder, out, *more):
    return [sys.executable, "-m", "copilot", "batch", str(folder), "--out", str(out), *more]


def batch(folder, out, *more):
    """The command, in a process of its own."""
    return subprocess.run(
        command(folder, out, *more), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def begun(folder, out, *more):
    """The same while it runs, at the head of a process group as in a terminal."""
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(folder, out, *more), cwd=ROOT, start_new_session=True, **quiet)


def rows(out):
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def records(out):
    return {path.name: path.read_bytes() for path in sorted((out / "records").iterdir())}


def wait_for(found, seconds=120):
    for _ in range(seconds * 20):
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def children(pid, words):
    """Processes below this one whose command line holds ``words``."""
    below = [int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()]
    lines = {p: Path(f"/proc/{p}/cmdline").read_bytes().decode() for p in below if Path(f"/proc/{p}").exists()}
    return [p for p, line in lines.items() if words in line] + [q for p in below for q in children(p, words)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A batch over recordings that can and cannot be read; its folder, its results, and what it said."""
    folder, out = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("batch") / "out"
    edf(folder / "P1_jane_doe.edf", 1)
    edf(folder / "ward b" / "P2_john_roe.edf", 2)
    (folder / "P3_damaged_doe.edf").write_bytes(b"0       no recording of Jane Doe")
    (folder / "P4_not_fetched.edf").symlink_to(folder / "nowhere.edf")
    (folder / "notes.txt").write_text("Jane Doe slept badly")
    (folder / "people.csv").write_text(TABLE)
    return folder, out, batch(folder, out, "--people", str(folder / "people.csv"), "--workers", "2")


def test_what_can_be_read_has_a_record_and_what_cannot_has_a_reason(finished):
    _, out, ended = finished
    assert (ended.returncode, ended.stdout.count("\n")) == (0, 1)
    assert ended.stdout.startswith("2 of 4 recordings have their draft record")
    assert [(row["number"], row["status"]) for row in rows(out)] == [
        *(("0001", "done"), ("0002", "failed"), ("0003", "failed"), ("0004", "done"))
    ]
    assert "No such file" in rows(out)[2]["reason"]
    assert rows(out)[1]["reason"] in ended.stderr
    assert list(records(out)) == ["0001.json", "0001.md", "0004.json", "0004.md"]


def test_a_row_tells_what_its_record_tells(finished):
    _, out, _ = finished
    record, row = from_json((out / "records" / "0001.json").read_text()), rows(out)[0]
    probabilities = [float(row[name]) for name in EMOTIONS]
    assert probabilities == pytest.approx(record.findings.probabilities, abs=1e-4)
    named = record.findings.confidence != "unclear"
    assert row["emotion"] == (EMOTIONS[int(np.argmax(probabilities))] if named else "")
    assert float(row["valence"]) == pytest.approx(float(row["class_positive"]) - float(row["class_negative"]), abs=2e-4)
    assert (row["quality"], row["confidence"]) == (record.findings.trust, record.findings.confidence)
    assert (row["model"], row["model_sha256"]) == (record.model, record.model_sha256)
    assert float(row["seconds_taken"]) > 0


def test_the_table_of_people_reaches_the_records(finished):
    _, out, _ = finished
    given = {field.key: field.value for field in from_json((out / "records" / "0001.json").read_text()).fields}
    assert [given[key] for key in ("age", "gender", "complaint", "name", "number")] == [
        *("34", "female", "sleeps badly", "Jane Doe", "MRN-77")
    ]
    assert not any("No other recording" in note for note in from_json((out / "records/0001.json").read_text()).notes)
    other = {field.key: field.value for field in from_json((out / "records" / "0004.json").read_text()).fields}
    assert (other["age"], other["gender"]) == ("", "unspecified")


def test_faults_of_the_table_are_said_by_row(finished):
    _, out, _ = finished
    text = (out / "summary.md").read_text()
    assert "Row 3 of the table of people was not used for the person" in rows(out)[3]["remarks"]
    assert "A baseline in row 3 of the table of people is no recording" in rows(out)[3]["remarks"]
    assert "no row for it" in rows(out)[1]["remarks"]
    assert "- Row 4 names no recording of this folder." in text
    assert "- Row 5 says neither file nor participant_id." in text
    assert "- Row 6 is about the same as an earlier row, which counts." in text


def test_names_are_in_sources_and_in_the_fields_meant_for_them_alone(finished):
    _, out, ended = finished
    for path in (path for path in out.rglob("*") if path.is_file() and path.name != "sources.csv"):
        own = {"Jane", "Doe", "MRN-77", "MRN\\-77"} if path.stem == "0001" else set()  # where the table gave them
        assert set(NAMES.findall(path.read_bytes().decode(errors="replace"))) <= own, path.name
        assert not NAMES.search(str(path.relative_to(out)))
    assert not NAMES.search(ended.stdout + ended.stderr)
    with (out / "sources.csv").open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [
            *("P1_jane_doe.edf", "P3_damaged_doe.edf", "P4_not_fetched.edf", "ward b/P2_john_roe.edf")
        ]


def test_the_summary_counts_and_says_what_it_is(finished):
    _, out, _ = finished
    text, done = (out / "summary.md").read_text(), [row for row in rows(out) if row["status"] == "done"]
    assert NOTICE in text
    assert "4 recordings: 2 read, 2 failed, 0 not read yet." in text
    assert "sources.csv alone" in text
    table = {line.split(" | ")[0][2:]: line.strip("| ").split(" | ")[1:] for line in text.splitlines() if "|" in line}
    for emotion in EMOTIONS:
        of_it = [row for row in done if row["emotion"] == emotion and row["quality"] != "poor"]
        counted = [sum(row["confidence"] == how for row in of_it) for how in ("clear", "leaning")]
        assert table[emotion][:2] == [str(count) for count in counted]
        mean = np.mean([float(row[emotion]) for row in done if row["quality"] != "poor"])
        assert float(table[emotion][2].rstrip(" %")) == pytest.approx(100 * mean, abs=0.06)
    unnamed = sum(row["confidence"] == "unclear" and row["quality"] != "poor" for row in done)
    assert f"In {unnamed} of them the EEG singles out no emotion." in text
    for trust in ("good", "fair", "poor"):
        assert table[trust] == [str(sum(row["quality"] == trust for row in done))]
    assert (out / "summary.png").read_bytes().startswith(b"\x89PNG")


def test_again_it_reads_what_failed_and_what_changed_and_leaves_the_rest(finished, tmp_path):
    folder, out = shutil.copytree(finished[0], tmp_path / "in", symlinks=True), tmp_path / "out"
    shutil.copytree(finished[1], out)
    before = records(out)
    edf(folder / "ward b" / "P2_john_roe.edf", 7)  # P1's baseline, too, which the table no longer names
    edf(folder / "A0_new.edf", 3)
    (folder / "P3_damaged_doe.edf").unlink()
    (folder / "people.csv").write_text(TABLE.replace("ward b/P2_john_roe.edf", ""))
    table = ("--people", str(folder / "people.csv"))
    assert batch(folder, out, *table).returncode == 0
    assert [(row["number"], row["status"]) for row in rows(out)] == [
        *(("0001", "done"), ("0003", "failed"), ("0004", "done"), ("0005", "done"))
    ]
    changed = {name for name, content in records(out).items() if before.get(name) != content}
    assert changed == {f"{number}.{kind}" for number in ("0001", "0004", "0005") for kind in ("json", "md")}
    before = records(out)
    assert batch(folder, out, *table).returncode == 0
    assert records(out) == before
    (folder / "A0_new.edf").write_bytes(b"not a recording any more")
    assert batch(folder, out, *table).returncode == 0
    gone = {name for name in before if name not in records(out)}
    assert gone == {"0005.json", "0005.md"}
    assert [row["number"] for row in rows(out) if row["status"] == "failed"] == ["0003", "0005"]


def test_killed_outright_it_goes_on_with_the_same_records(tmp_path):
    folder, out = folder_of(tmp_path / "in", 3), tmp_path / "out"
    running = begun(folder, out, "--workers", "1")
    wait_for(lambda: (out / "records" / "0001.md").exists())
    wait_for(lambda: '"fingerprint"' in (out / "finished.jsonl").read_text())
    below = children(running.pid, "python")
    running.kill()
    running.communicate()
    wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in below))
    before = records(out)
    assert set(before) < {f"000{n}.{kind}" for n in (1, 2, 3) for kind in ("json", "md")}
    assert batch(folder, out).returncode == 0
    assert [row["status"] for row in rows(out)] == ["done"] * 3
    assert all(records(out)[name] == before[name] for name in ("0001.json", "0001.md"))
    assert not (out / ".scratch").exists()


def test_a_process_that_dies_costs_one_recording_and_is_replaced(tmp_path):
    folder, out = folder_of(tmp_path / "in", 2), tmp_path / "out"
    running = begun(folder, out, "--workers", "1")
    wait_for(lambda: children(running.pid, "copilot.eeg.sandbox"))
    (reader,) = children(running.pid, "copilot.batch.backends.local")
    os.kill(reader, signal.SIGKILL)
    said = running.communicate()[1]
    assert running.returncode == 0
    assert [row["status"] for row in rows(out)] == ["failed", "done"]
    assert "ended (SIGKILL)" in rows(out)[0]["reason"]
    assert "0001: The process that read it ended (SIGKILL)" in said


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_so_in_a_sentence_and_keeps_others_out_until_then(tmp_path, stop):
    folder, out = folder_of(tmp_path / "in", 3), tmp_path / "out"
    running = begun(folder, out, "--workers", "1")
    wait_for(lambda: children(running.pid, "copilot.batch.backends.local"))
    second = batch(folder, out)
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert "Another batch writes to" in second.stderr
    below = children(running.pid, "python")
    os.killpg(running.pid, stop) if stop == signal.SIGINT else running.terminate()
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 2
    done = sum(row["status"] == "done" for row in rows(out))
    assert [line for line in said.replace("\r", "\n").splitlines() if line and "|" not in line] == [
        f"Stopped: {done} of 3 recordings are finished; the same command again goes on from there."
    ]
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in below)
    assert rows(out)[-1]["status"] == "waiting"
    assert not (out / ".scratch").exists()


def test_a_bids_folder_brings_its_own_people(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    place = folder / "sub-01" / "ses-a" / "eeg"
    place.mkdir(parents=True)
    write_brainvision(place / "sub-01_ses-a_task-film_eeg.vhdr", scalp(12, seed=6), 250, TEN_TWENTY)
    (place / "sub-01_ses-a_task-film_channels.tsv").write_text("name\ttype\nFp1\tEEG\n")
    (folder / "derivatives").mkdir()
    edf(folder / "derivatives" / "cleaned.edf", 1)
    (folder / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t91\tM\nsub-02\t20\tF\n")
    assert batch(folder, out).returncode == 0
    (row,) = rows(out)
    assert (row["status"], row["remarks"]) == ("done", "")
    given = {field.key: field.value for field in from_json((out / "records" / "0001.json").read_text()).fields}
    assert (given["age"], given["gender"]) == ("90+", "male")
    assert "- Row 3 names no recording of this folder." in (out / "summary.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("{there}/none", "--out", "{there}/out"), "is not a folder"),
        (("{there}/empty", "--out", "{there}/out"), "There is no recording in"),
        (("{there}/in", "--out", "{there}/in"), "holds other things already"),
        (("{there}/in", "--out", "{there}/keyless.csv"), "cannot be made or written to"),
        (("{there}/in", "--out", "{there}/out", "--people", "{there}/none.csv"), "cannot be read"),
        (("{there}/in", "--out", "{there}/out", "--people", "{there}/keyless.csv"), "neither a column file nor"),
        (("{there}/in", "--out", "{there}/out", "--workers", "0"), "'0' is not a number of recordings"),
    ],
)
def test_what_cannot_begin_is_refused_in_a_sentence(tmp_path, arguments, said, capsys):
    from copilot import cli

    (tmp_path / "empty").mkdir()
    folder_of(tmp_path / "in", 1)
    (tmp_path / "keyless.csv").write_text("age,gender\n20,F\n")
    try:
        status = cli.main(["batch", *(text.format(there=tmp_path) for text in arguments)])
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not (tmp_path / "out" / "records").exists()


def test_a_model_that_cannot_be_opened_stops_everything_in_a_sentence(tmp_path, monkeypatch):
    model = tmp_path / "broken.gguf"
    model.write_bytes((ROOT / "models" / "eeg-emotion-copilot.gguf").read_bytes()[:-100_000])
    monkeypatch.setenv("EEG_COPILOT_MODEL", str(model))
    ended = batch(folder_of(tmp_path / "in", 1), tmp_path / "out")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "broken.gguf is damaged" in ended.stderr
    assert "Traceback" not in ended.stderr


def made(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def test_recordings_are_found_by_their_names_and_notes_beside_them_are_not(tmp_path):
    made(tmp_path, "b.edf", "a/muse.csv", "a/README.txt", "a/events.csv", "c.vhdr", "c.eeg", "c.vmrk", "photo.jpg")
    made(tmp_path, ".hidden/d.edf", "._e.edf", "egi.mff/signal1.bin", "egi.mff/info.csv", "out/summary.csv", "who.csv")
    found = recording_files.find_recordings(tmp_path, leave_out=[tmp_path / "out", tmp_path / "who.csv"])
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["a/muse.csv", "b.edf", "c.vhdr", "egi.mff"]
    assert [path.name for path in recording_files.find_recording_files(tmp_path / "c.vhdr")] == [
        "c.vhdr",
        "c.eeg",
        "c.vmrk",
    ]


def test_rows_find_their_recordings_the_most_exact_first(tmp_path):
    table = tmp_path / "people.tsv"
    table.write_text("participant_id\tage\tfile\nP1\t30\t\nP1_b\t31\t\nward\t32\t\nn/a\t33\tP1_b_eyes.edf\n")
    names = ["P1_rest.edf", "P1_b_rest.edf", "P1_b_eyes.edf", "ward/night/x.edf", "P10_rest.edf"]
    given, faults = participants.read_participants(table, names)
    assert [given[name].person.age for name in names] == [30, 31, 33, 32, None]
    assert ["no row" in " ".join(given[name].remarks) for name in names] == [False] * 4 + [True]
    assert faults == []


def test_a_mac_and_a_table_may_write_a_name_differently(tmp_path):
    (tmp_path / "people.csv").write_text("file,age,baseline\nJos\u00e9.edf,30,Ren\u00e9.edf ; Jos\u00e9.edf\n", "utf-8")
    given, _ = participants.read_participants(tmp_path / "people.csv", ["Jose\u0301.edf", "Rene\u0301.edf"])
    assert given["Jose\u0301.edf"].person.age == 30
    assert given["Jose\u0301.edf"].baselines == ("Rene\u0301.edf",)  # not itself


def test_words_of_danger_are_told_and_not_quoted(tmp_path):
    (tmp_path / "people.csv").write_text("file,complaint\na.edf,I want to kill myself\nb.edf,sleeps badly\n")
    given, _ = participants.read_participants(tmp_path / "people.csv", ["a.edf", "b.edf"])
    (remark,) = given["a.edf"].remarks
    assert "danger" in remark
    assert "kill" not in remark
    assert given["b.edf"].remarks == ()


def test_a_line_broken_off_by_a_kill_costs_that_line_alone(finished, tmp_path):
    out = shutil.copytree(finished[1], tmp_path / "out")
    journal = out / "finished.jsonl"
    entry = json.loads(next(line for line in journal.read_text().splitlines() if '"number": 1, "fingerprint"' in line))
    journal.write_bytes(journal.read_bytes() + b'\n{"number": 4, "finger')
    with results.open_results(out) as kept:
        known = kept.find_finished(1, entry["fingerprint"])
        assert known is not None
        kept.write_record(Outcome(9, known.record, seconds=1.0, worker="1"), "new")
    with results.open_results(out) as kept:
        assert kept.find_finished(9, "new").record == known.record
        assert kept.find_finished(1, "other") is None
        (out / "records" / "0001.json").write_text("{")
        assert kept.find_finished(1, entry["fingerprint"]) is None


def test_numbers_stay_and_a_changed_list_of_them_is_refused(tmp_path):
    with results.open_results(tmp_path / "out") as kept:
        assert kept.assign_numbers(["b.edf", "c\n=1+1.edf"]) == {"b.edf": 1, "c\n=1+1.edf": 2}
        assert kept.assign_numbers(["a.edf", "c\n=1+1.edf"]) == {"a.edf": 3, "c\n=1+1.edf": 2}
        (tmp_path / "out" / "sources.csv").write_text("one,two\n1,2\n")
        with pytest.raises(BatchError, match="put it back"):
            kept.assign_numbers(["a.edf"])


def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(tmp_path):
    with results.open_results(tmp_path / "out") as kept:
        kept.write("summary.md", b"before")
        kept.scratch.rmdir()  # as good as a disk that takes nothing more
        with pytest.raises(BatchError, match=r"summary\.md could not be written"):
            kept.write("summary.md", b"after")
    assert (tmp_path / "out" / "summary.md").read_bytes() == b"before"


HOSTILE = (
    *('=HYPERLINK("x","Doe").edf', "+1+1.edf", "-1+1.edf", "@SUM(1).edf", "\t=1+1.edf", "\r=1+1.edf", " =1.edf"),
    *("\uff1d1+1.edf", "'=1+1.edf", "''plain.edf", 'a,"b"\n=1+1.edf', "plain.edf", "ward/=1+1.edf", "\udcff=.edf"),
)


def test_no_name_of_a_file_is_a_formula_and_each_keeps_its_number(tmp_path):
    with results.open_results(tmp_path / "out") as kept:
        numbers = kept.assign_numbers(HOSTILE)
    with (tmp_path / "out" / "sources.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        cells = [row["file"] for row in csv.DictReader(file)]
    assert not [cell for cell in cells if cell.lstrip(" ")[0] in "=+-@\t\r\n\uff1d"]
    for name, cell in zip(HOSTILE, cells, strict=True):
        assert cell.removeprefix("'") == name or cell == name  # still to be identified
    with results.open_results(tmp_path / "out") as kept:
        assert kept.assign_numbers([*HOSTILE[::-1], "new.edf"]) == {**numbers, "new.edf": len(HOSTILE) + 1}


def test_no_cell_of_a_summary_is_a_formula_and_numbers_stay_numbers(tmp_path):
    values = {"a": "=1+1", "b": "-0.1234", "c": "+2", "d": -3, "e": "@x", "f": "", "g": "joy", "h": "-x"}
    with results.open_results(tmp_path / "out") as kept:
        kept.write_table("summary.csv", tuple(values), [values])
    with (tmp_path / "out" / "summary.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row.values()) == ["'=1+1", "-0.1234", "+2", "-3", "'@x", "", "joy", "'-x"]


def test_only_the_user_can_read_what_a_batch_writes(finished, tmp_path):
    _, out, _ = finished
    assert {oct(path.stat().st_mode & 0o777) for path in out.rglob("*") if path.is_file()} == {"0o600"}
    assert {oct(path.stat().st_mode & 0o777) for path in (out, *out.rglob("*")) if path.is_dir()} == {"0o700"}
    (tmp_path / "there").mkdir(mode=0o755)
    with results.open_results(tmp_path / "there"):
        assert (tmp_path / "there").stat().st_mode & 0o777 == 0o700
