"""Review and signature: what a clinician can do with a record, and what nobody can."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from copilot.record.export.json_format import from_json, to_json
from copilot.record.model import Change, RecordError
from copilot.record.review import Reviewer, accept, amend, delete, edit, sign
from tests.helpers.records import NOW, REVIEWER, drafted, reviewed, signed

LATER = NOW + timedelta(hours=1)


def changed_keys(before, after):
    return [new.key for old, new in zip(before.fields, after.fields, strict=True) if new != old]


def test_an_accepted_suggestion_stays_the_models_and_waits_no_longer():
    before = drafted()
    after = accept(before, "assessment", REVIEWER, LATER)
    assert changed_keys(before, after) == ["assessment"]
    assert after.field("assessment") == replace(before.field("assessment"), accepted=True)
    text = before.field("assessment").value
    assert after.history == (
        Change("2026-03-01T11:30:00Z", "Dr Ada Weiss", "Neurologist", "accepted", "assessment", text, text),
    )


def test_an_edited_field_is_the_clinicians_and_the_rest_stays():
    before = drafted()
    after = edit(before, "assessment", "Calm on examination.\r\nSlept badly.", REVIEWER, LATER)
    field = after.field("assessment")
    assert changed_keys(before, after) == ["assessment"]
    assert field.value == "Calm on examination.\nSlept badly."
    assert (field.origin.kind, field.origin.by, field.origin.at) == ("written", "Dr Ada Weiss", "2026-03-01T11:30:00Z")
    assert field.accepted
    (change,) = after.history
    assert (change.action, change.before, change.after) == ("edited", before.field("assessment").value, field.value)


def test_a_deleted_suggestion_leaves_its_text_in_the_history_only():
    before = drafted()
    after = delete(before, "suggestions", REVIEWER, LATER)
    assert (after.field("suggestions").value, after.field("suggestions").accepted) == ("", True)
    assert (after.history[0].action, after.history[0].before) == ("deleted", "Rest.\nWalk.")


def test_unchanged_text_keeps_its_origin_however_the_browser_ends_its_lines():
    record = drafted()
    for field in record.fields:
        assert edit(record, field.key, field.value.replace("\n", "\r\n") + " ", REVIEWER, NOW) is record


@pytest.mark.parametrize("typed", ["93", "93 years", "about 93", "104", "120", "1990", "\uff19\uff13"])
def test_an_age_above_89_is_not_written_down_when_a_clinician_types_it_either(typed):
    record = edit(drafted(), "age", typed, REVIEWER, NOW)
    assert record.field("age").value == "90+"
    assert typed not in repr(record.history)


@pytest.mark.parametrize("typed", ["34 (since March 95 kg)", "6 months, 180 days", "89"])
def test_other_numbers_beside_an_age_are_left_alone(typed):
    assert edit(drafted(), "age", typed, REVIEWER, NOW).field("age").value == typed


def test_what_is_settled_cannot_be_accepted_again():
    record = accept(drafted(), "assessment", REVIEWER, NOW)
    for key in ("assessment", "age"):
        with pytest.raises(RecordError, match="not waiting for review"):
            accept(record, key, REVIEWER, NOW)


def test_the_first_line_does_not_go_on_stating_what_a_clinician_took_out():
    record = drafted()
    assert "joy" in record.headline
    assert edit(record, "emotion", "tired", REVIEWER, NOW).headline == "Emotion, as the clinician wrote it: tired"
    assert "No emotion is stated" in delete(record, "emotion", REVIEWER, NOW).headline
    poor = drafted(trust="poor")
    assert delete(poor, "emotion", REVIEWER, NOW).headline == poor.headline


def test_a_text_without_end_is_refused():
    with pytest.raises(RecordError, match="Assessment has 4001 characters; at most 4000"):
        edit(drafted(), "assessment", "x" * 4001, REVIEWER, NOW)
    with pytest.raises(RecordError, match="Age has 5000 characters"):
        edit(drafted(), "age", "9" * 5000, REVIEWER, NOW)
    with pytest.raises(RecordError, match="at most 600"):
        sign(reviewed(), REVIEWER, "x" * 601, NOW)
    with pytest.raises(RecordError, match="at most 120"):
        Reviewer("x" * 121, "Nurse")


@pytest.mark.parametrize(("name", "role"), [("", "Nurse"), ("Ada", " \n"), ("\u200b", "Nurse")])
def test_nobody_reviews_without_name_and_role(name, role):
    with pytest.raises(RecordError, match="Give your name and your role"):
        Reviewer(name, role)


def test_a_record_can_be_signed_only_when_nothing_waits():
    record = drafted()
    while record.pending:
        with pytest.raises(RecordError, match=rf"^{len(record.pending)} fields .*{re.escape(record.pending[0].label)}"):
            sign(record, REVIEWER, "I have reviewed it.", NOW)
        record = accept(record, record.pending[0].key, REVIEWER, NOW)
    whole = sign(record, REVIEWER, "I have reviewed it.", LATER)
    assert whole.status == "signed"
    assert (whole.signature.name, whole.signature.role) == ("Dr Ada Weiss", "Neurologist")
    assert (whole.signature.statement, whole.signature.at) == ("I have reviewed it.", "2026-03-01T11:30:00Z")
    assert whole.history[-1].action == "signed"


def test_a_signature_needs_a_statement():
    with pytest.raises(RecordError, match="statement is empty"):
        sign(reviewed(), REVIEWER, " ", NOW)


def test_signing_locks():
    record = signed()
    acts = (
        lambda: edit(record, "follow_up", "In two weeks.", REVIEWER, NOW),
        lambda: edit(record, "follow_up", record.field("follow_up").value, REVIEWER, NOW),
        lambda: accept(record, "assessment", REVIEWER, NOW),
        lambda: delete(record, "assessment", REVIEWER, NOW),
        lambda: sign(record, REVIEWER, "Again.", NOW),
    )
    for act in acts:
        with pytest.raises(RecordError, match="signed and locked; amend it"):
            act()


def test_a_signed_record_that_was_changed_is_no_record():
    record = signed()
    with pytest.raises(RecordError, match="changed after it was signed"):
        replace(record, headline="All is well.")
    changes = {"It is 99 % joy": "It is 1 % joy", '"I have reviewed it."': '"I have not."', "Neurologist": "Janitor"}
    for before, after in {**changes, "Dr Ada Weiss": "Dr Mallory", "2026-03-01T10:30": "2026-03-02T10:30"}.items():
        assert before in to_json(record)
        with pytest.raises(RecordError, match="changed after it was signed"):
            from_json(to_json(record).replace(before, after))


def test_an_amendment_is_a_new_draft_that_points_to_what_was_signed():
    first = signed()
    second = amend(first, REVIEWER, LATER)
    assert (second.id, second.version, second.status) == (first.id, 2, "draft")
    assert second.amends == first.signature.sha256
    assert second.fields == first.fields
    assert second.history[: len(first.history)] == first.history
    corrected = edit(second, "assessment", "Tired, not joyful.", REVIEWER, LATER)
    again = sign(corrected, REVIEWER, "Corrected.", LATER)
    assert (again.version, again.amends) == (2, first.signature.sha256)
    assert [change.action for change in again.history[-4:]] == ["signed", "amended", "edited", "signed"]


def test_a_draft_cannot_be_amended():
    with pytest.raises(RecordError, match="Only a signed record can be amended"):
        amend(drafted(), REVIEWER, NOW)


def test_the_history_tells_the_whole_way_from_the_draft():
    record = drafted()
    texts = {field.key: field.value for field in record.fields}
    whole = signed(edit(delete(record, "suggestions", REVIEWER, NOW), "follow_up", "Call.", REVIEWER, NOW))
    for change in whole.history:
        if change.key:
            assert texts[change.key] == change.before
            texts[change.key] = change.after
    assert texts == {field.key: field.value for field in whole.fields}
