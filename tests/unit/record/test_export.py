"""A record as Markdown and as JSON."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot import NOTICE
from copilot.i18n import messages
from copilot.person import PatientIdentity, Person
from copilot.record.export import json_format
from copilot.record.export.json_format import as_dict, from_json, to_json
from copilot.record.export.markdown import to_markdown
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import ORIGINS, READOUTS, Change, Field, Origin, Record, RecordError, Section, timestamp
from copilot.record.review import amend, edit
from tests.helpers.records import NOW, REVIEWER, drafted, reviewed, signed


def test_markdown_shows_notice_origins_and_every_value():
    record = edit(drafted(), "follow_up", "In two weeks.", REVIEWER, NOW)
    text = to_markdown(record)
    assert NOTICE in text
    assert text.startswith("# Draft medical record\n")
    assert "- **Assessment** (AI-suggested, not reviewed): It is 99 % joy, says the prose." in text
    assert "- **Follow-up** (written by the clinician): In two weeks." in text
    assert "- **Suggestions** (AI-suggested, not reviewed):\n  - Rest.\n  - Walk.\n" in text
    assert messages.ORIGIN["entered"] in text
    assert messages.ORIGIN["measured"] in text
    for known in (record.model_sha256, record.prompt_sha256, record.created, messages.READOUT_SHORT["both"]):
        assert known in text


def test_markdown_of_a_signed_record_says_who_signed_what_and_how_it_came_about():
    record = signed(edit(drafted(), "follow_up", "In two weeks.", REVIEWER, NOW))
    text = to_markdown(record)
    assert text.startswith("# Medical record\n")
    assert "not reviewed" not in text
    assert "- **Assessment** (AI-suggested, by the model): It is 99 % joy" in text
    assert "Signed by Dr Ada Weiss, Neurologist, on 2026-03-01T10:30:00Z: I have reviewed it." in text
    assert record.signature.sha256 in text
    assert "Dr Ada Weiss (Neurologist): edited Follow-up\n  - Before: \n  - After: In two weeks.\n" in text
    assert record.signature.sha256 in to_markdown(amend(record, REVIEWER, NOW))


MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</li></ul><h1>Diagnosis</h1>",
    "# Diagnosis",
    "--- ",
    "===",
    "- item",
    "12. item",
    "`code` ```fence",
    "[click](javascript:alert(1)) ![x](http://example.org/x.png)",
    "<https://example.org> https://example.org www.example.org",
    "**bold** __bold__ *it* _it_ ~~gone~~",
    "| a | b |",
    "&lt;b&gt; &#60;b&#62; \\<b\\>",
    "[^1]: note",
    "> quoted",
    "$x$ \\(x\\)",
]


def rendered(markdown):
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True})
    return parser.enable(["table", "strikethrough"]).render(markdown)


def text_of(html):
    return unescape(re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("markup", MARKUP)
def test_markup_typed_into_a_form_stays_text(markup):
    plain = rendered(to_markdown(drafted(Person("female", 20, appearance="tired"))))
    planted = rendered(to_markdown(drafted(Person("female", 20, appearance=markup))))
    assert re.findall(r"<[^>]*>", planted) == re.findall(r"<[^>]*>", plain)
    assert f"(entered by the person): {markup.strip()}\n" in text_of(planted)


def test_bare_web_addresses_do_not_become_links():
    text = to_markdown(drafted(Person("female", 20, appearance="see https://example.org or www.example.org")))
    assert "https://" not in text
    assert "www.example" not in text


@settings(deadline=None)
@given(st.lists(st.sampled_from(MARKUP), min_size=2, max_size=4))
def test_markup_in_several_lines_of_a_field_and_in_its_history_stays_text(lines):
    like = ["x"] * len(lines)
    plain, planted = (
        rendered(to_markdown(edit(drafted(), "suggestions", "\n".join(texts), REVIEWER, NOW)))
        for texts in (like, lines)
    )
    assert re.findall(r"<[^>]*>", planted) == re.findall(r"<[^>]*>", plain)
    for line in lines:
        assert f"\n{line.strip()}\n" in text_of(planted)


texts = st.text(max_size=40)
times = st.datetimes(datetime(1900, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC)).map(timestamp)
origins = st.builds(Origin, st.sampled_from(ORIGINS), times, texts, texts, texts, texts)
fields = st.builds(Field, texts, texts, texts, origins, st.just(True)).filter(lambda f: f.origin.kind != "suggested")
sections = st.builds(Section, texts, texts, st.lists(fields, max_size=3).map(tuple))
names = st.text(min_size=1, max_size=40)
changes = st.builds(Change, times, names, names, st.just("edited"), texts, texts, texts)
records = st.builds(
    Record,
    id=st.uuids().map(str),
    version=st.just(1),
    amends=st.just(""),
    language=st.sampled_from(("en", "zh")),
    headline=texts,
    notes=st.lists(texts, max_size=3).map(tuple),
    sections=st.lists(sections, max_size=4)
    .map(tuple)
    .filter(lambda them: len(keys := [f.key for s in them for f in s.fields]) == len(set(keys))),
    findings=st.just(drafted().findings),
    created=times,
    software=texts,
    model=texts,
    model_sha256=texts,
    prompt_sha256=texts,
    readout=st.sampled_from(READOUTS),
    codec=texts,
    history=st.lists(changes, max_size=3).map(tuple),
    signature=st.none(),
)


@settings(deadline=None)
@given(records)
def test_json_gives_the_same_record_back_and_follows_its_schema(record):
    text = to_json(record)
    assert from_json(text) == record
    assert json.loads(text) == as_dict(record)
    jsonschema.validate(json.loads(text), PUBLISHED)


@pytest.mark.parametrize("record", [signed(), amend(signed(), REVIEWER, NOW), drafted(language="zh")])
def test_signed_and_amended_records_come_back_too(record):
    assert from_json(to_json(record)) == record
    jsonschema.validate(as_dict(record), PUBLISHED)


PUBLISHED = json.loads(Path(json_format.__file__).with_name("record.schema.json").read_text())


def test_the_published_schema_is_what_the_command_prints():
    printed = subprocess.run(
        [sys.executable, "-m", "copilot.record.export.json_format"], capture_output=True, check=True
    )
    assert json.loads(printed.stdout) == PUBLISHED
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)


@settings(deadline=None)
@given(records)
def test_any_record_can_be_written_as_markdown(record):
    to_markdown(record).encode()


def damaged(**changes):
    return json.dumps({**as_dict(drafted()), **changes})


def with_field(**changes):
    sections = as_dict(drafted())["sections"]
    sections[0]["fields"][0].update(changes)
    return damaged(sections=sections)


def accepted_by_nobody():
    plain = as_dict(drafted())
    for section in plain["sections"]:
        for field in section["fields"]:
            field["accepted"] = True
    return json.dumps(plain)


def unreviewed_yet_signed():
    whole, draft = as_dict(signed()), as_dict(drafted())
    return json.dumps({**whole, "sections": draft["sections"]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "is not a record"),
        ("{}", "is not a record"),
        (damaged(format="eeg-emotion-copilot-record-1"), "is not a record"),
        (damaged(id="../../x"), "id: it is of another kind"),
        (damaged(version=10**30), "version"),
        (damaged(status="signed"), "is not a record"),
        (damaged(extra=1), "extra: "),
        (damaged(sections={}), "sections: "),
        (damaged(sections=[1]), "sections.0: "),
        (damaged(notes="x"), "notes: "),
        (damaged(model=None), "model: "),
        (damaged(model="\ud800"), "cannot be used|not JSON"),
        (damaged(readout="guess"), "readout: it can be both, model, decoder"),
        (damaged(created="yesterday"), "ISO 8601"),
        (with_field(value=20), "sections.0.fields.0.value: "),
        (with_field(origin="measured"), "sections.0.fields.0.origin: "),
        (with_field(key="age"), "same key"),
        (with_field(colour="red"), "colour: "),
        (with_field(accepted=False), "no model suggested it"),
        (damaged(version=2), "amends none"),
        (damaged(nameless=True), "is not a record"),
        (damaged(history=[{**as_dict(signed())["history"][0], "name": ""}]), "history.0.name: it is of another kind"),
        (accepted_by_nobody(), "nobody accepted it"),
        (damaged(findings={**as_dict(drafted())["findings"], "seconds": -3}), "findings.seconds: it is too small"),
        (damaged(findings={**as_dict(drafted())["findings"], "sfreq": float("inf")}), "sfreq: it is too small"),
        (damaged(findings={**as_dict(drafted())["findings"], "probabilities": [1.0] * 9}), "together 1"),
        (to_json(drafted()).replace('"version": 1', '"version": 1, "version": 1'), "not JSON"),
        (unreviewed_yet_signed(), "changed after it was signed"),
    ],
)
def test_json_that_is_no_record_is_refused_in_a_sentence(text, said):
    with pytest.raises(RecordError, match=said) as caught:
        from_json(text)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_file_name_holds_nothing_of_the_person(kind):
    record = drafted(patient=PatientIdentity(name="Rosa Lind", number="4711"))
    assert re.fullmatch(r"record-[0-9a-f]{8}-v1-draft\.(md|json|pdf|fhir\.json)", file_name(record, kind))
    assert "-v2-signed." in file_name(signed(amend(signed(record), REVIEWER, NOW)), kind)


@pytest.mark.parametrize("kind", EXPORTS)
@pytest.mark.parametrize("record", [drafted(), reviewed(), signed(), drafted(language="zh")])
def test_every_record_can_leave_in_every_way_without_its_pictures_too(kind, record):
    assert EXPORTS[kind].write(record, None)
