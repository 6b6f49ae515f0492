"""The draft record: what stands in it and where it comes from."""

from dataclasses import replace

import numpy as np
import pytest

from copilot.eeg.preprocessing.quality import ChannelQuality, Quality
from copilot.eeg.types import Recording
from copilot.person import PatientIdentity, Person, PersonError
from copilot.record.draft import SOFTWARE, draft
from copilot.record.export.markdown import to_markdown
from copilot.record.model import RecordError, without_identity
from tests.helpers.records import NOW, drafted, quality, reading


def value(record, key):
    return record.field(key).value


def test_sections_follow_the_paper_and_leave_out_what_nothing_here_can_fill():
    assert [section.key for section in drafted().sections] == [
        *("basic", "history", "examination", "assessment", "plan", "follow_up")
    ]


def test_laboratory_and_expenses_stand_in_it_only_if_entered():
    record = drafted(patient=PatientIdentity(laboratory="TSH 2.1 mU/l", expenses="EEG 120 EUR"))
    assert [section.key for section in record.sections] == [
        *("basic", "history", "examination", "laboratory", "assessment", "plan", "follow_up", "expenses")
    ]
    assert (value(record, "laboratory"), value(record, "expenses")) == ("TSH 2.1 mU/l", "EEG 120 EUR")


def test_name_and_number_stand_where_they_belong_and_can_be_taken_out():
    record = drafted(patient=PatientIdentity(name="Rosa Lind", number="4711"))
    assert (value(record, "name"), value(record, "number")) == ("Rosa Lind", "4711")
    assert "Rosa" not in repr(without_identity(record))
    assert "4711" not in repr(without_identity(record))


def test_a_name_that_is_too_long_is_refused_without_repeating_it():
    with pytest.raises(PersonError, match="Name has 121 characters; at most 120 are kept"):
        PatientIdentity(name="x" * 121)


def test_it_says_when_and_with_what_it_was_made():
    record = drafted()
    assert record.created == "2026-03-01T10:30:00Z"
    assert (record.software, record.status, record.version) == (SOFTWARE, "draft", 1)
    assert (record.model, record.model_sha256, record.prompt_sha256) == ("tiny", "a" * 64, "b" * 64)
    assert (record.readout, record.codec, record.notes) == ("both", "bands", ("No other recording was given.",))
    assert drafted().id != record.id


def test_numbers_come_from_the_measurement_and_the_probabilities_not_from_prose():
    record = drafted()
    assert value(record, "electrodes") == "3: Fp1, T7, O1"
    assert value(record, "seconds") == "60 s"
    assert value(record, "sfreq") == "250 Hz"
    assert value(record, "clean") == "57 of 60 s (95.0 %)"
    assert value(record, "mains").startswith("50 Hz, 12.3 times")
    assert value(record, "bad_channels") == "T7 (flat, interpolated)"
    assert value(record, "removed") == "2 ocular"
    assert value(record, "processing").splitlines() == ["ECG was left out.", *quality().sentences]
    assert value(record, "emotion") == "joy 44.0 %"
    assert value(record, "probabilities").splitlines()[:2] == ["joy 44.0 %", "anger 7.0 %"]
    assert len(value(record, "probabilities").splitlines()) == 9
    assert value(record, "three_class") == "negative 28.0 %, neutral 7.0 %, positive 65.0 %"
    assert value(record, "valence") == "+0.37"
    findings = record.findings
    assert sum(findings.probabilities) == pytest.approx(1)
    assert (findings.confidence, findings.trust, findings.line_hz) == ("clear", "good", 50.0)
    assert (findings.seconds, findings.clean_seconds, findings.bad_electrodes) == (60, 57, ("T7",))


def test_every_field_tells_its_origin_and_what_the_model_suggested_waits():
    record = drafted()
    kinds = {field.key: field.origin.kind for field in record.fields}
    assert {kinds[key] for key in ("gender", "age", "appearance", "complaint", "history")} == {"entered"}
    assert {kinds[key] for key in ("electrodes", "clean", "trust", "processing")} == {"measured"}
    assert {kinds[key] for key in ("emotion", "probabilities", "assessment", "suggestions")} == {"suggested"}
    assert kinds["follow_up"] == "written"
    assert {field.key for field in record.pending} == {key for key, kind in kinds.items() if kind == "suggested"}
    assert {field.origin.at for field in record.fields} == {"2026-03-01T10:30:00Z"}
    assert {field.origin.software for field in record.fields} == {SOFTWARE}
    models = {(f.origin.by, f.origin.model_sha256, f.origin.prompt_sha256) for f in record.pending}
    assert models == {("tiny", "a" * 64, "b" * 64)}


def test_a_suggestion_that_the_model_did_not_make_does_not_wait():
    assert "suggestions" not in {field.key for field in drafted(suggestions=()).pending}


def test_a_good_and_clear_reading_is_headed_by_its_emotion():
    assert drafted().headline == "Film recognised, most probable of nine emotions: joy (44.0 %)."


@pytest.mark.parametrize(
    ("trust", "joy", "said"),
    [
        ("poor", 0.44, ("Poor recording",)),
        ("good", 0.12, ("No emotion stands out",)),
        ("poor", 0.12, ("Poor recording", "No emotion stands out")),
    ],
)
def test_a_reading_not_to_be_relied_on_says_so_first_everywhere(trust, joy, said):
    record = drafted(trust=trust, joy=joy)
    first = to_markdown(record).split("## ")[0]
    for sentence in said:
        assert sentence in record.headline
        assert sentence in first
    assert "most probable" not in record.headline


def test_an_emotion_that_does_not_stand_out_is_not_named_as_the_one():
    assert value(drafted(joy=0.12), "emotion") == "none stands out (joy 12.0 %, anger 11.0 %)"


def test_a_quiet_recording_has_nothing_to_tell():
    clean = Quality((ChannelQuality("O1"),), None, 1.0, np.ones(60, bool), {}, "good", ())
    recording = Recording(np.zeros((1, 15000), np.float32), 250.0, ("O1",), "EDF")
    record = draft(Person("male", 95), recording, clean, reading(), now=NOW)
    assert [value(record, key) for key in ("mains", "bad_channels", "removed", "processing")] == [
        *("none found", "none", "none", "")
    ]
    assert value(record, "age") == "90+"


def test_there_is_no_field_of_an_unknown_name():
    with pytest.raises(RecordError, match="nothing"):
        drafted().field("nothing")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"readout": "guess"}, "readout: it can be both, model, decoder"),
        ({"language": "tlh"}, "language: it can be en, zh"),
        ({"created": "yesterday"}, "ISO 8601 in UTC"),
        ({"created": "2026-03-01T10:30:00"}, "to the second"),
        ({"sections": drafted().sections * 2}, "same key"),
    ],
)
def test_a_record_with_a_wrong_value_cannot_be_made(changes, said):
    with pytest.raises(RecordError, match=said):
        replace(drafted(), **changes)
