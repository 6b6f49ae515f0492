"""The draft record, its edits and its exports."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from html import unescape

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot import NOTICE, __version__
from copilot.eeg.cleaning import ChannelQuality, Quality
from copilot.eeg.recording import Recording
from copilot.emotions import EMOTIONS
from copilot.person import Person
from copilot.reading import Reading
from copilot.record.exports import as_dict, from_json, to_json, to_markdown
from copilot.record.record import ORIGIN_WORDS, ORIGINS, READOUT_WORDS, Field, Record, RecordError, Section, draft, edit

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
PERSON = Person("female", 20, appearance="tired", complaint="sleeps badly", history="migraine")


def quality(trust="good"):
    return Quality(
        channels=(ChannelQuality("Fp1"), ChannelQuality("T7", flat=True, interpolated=True), ChannelQuality("O1")),
        line_hz=50.0,
        line_ratio=12.34,
        clean=np.arange(60) >= 3,
        components_removed={"ocular": 2, "muscle": 0},
        trust=trust,
        sentences=("One electrode was flat and was interpolated.",),
    )


def reading(joy=0.44, **changes):
    values = {
        "probabilities": np.array([joy if name == "joy" else (1 - joy) / 8 for name in EMOTIONS]),
        "readout": "both",
        "assessment": "It is 99 % joy, says the prose.",
        "suggestions": ("Rest.", "Walk."),
        "raw": "",
        "timings": {},
        "model": "tiny",
        "model_sha256": "a" * 64,
        "prompt_sha256": "b" * 64,
        "codec": "bands",
        "notes": ("No other recording was given.",),
    }
    return Reading(**{**values, **changes})


def drafted(person=PERSON, trust="good", **changes):
    recording = Recording(np.zeros((3, 15000), np.float32), 250.0, ("Fp1", "T7", "O1"), "EDF", ("ECG was left out.",))
    return draft(person, recording, quality(trust), reading(**changes), now=NOW)


def value(record, key):
    return next(field.value for field in record.fields if field.key == key)


def test_sections_follow_the_paper_and_leave_out_what_nothing_here_can_fill():
    assert [section.key for section in drafted().sections] == [
        *("basic", "history", "examination", "assessment", "plan", "follow_up")
    ]


def test_it_says_when_and_with_what_it_was_made():
    record = drafted()
    assert record.created == "2026-03-01T10:30:00Z"
    assert (record.software, record.status) == (__version__, "draft")
    assert (record.model, record.model_sha256, record.prompt_sha256) == ("tiny", "a" * 64, "b" * 64)
    assert (record.readout, record.codec, record.notes) == ("both", "bands", ("No other recording was given.",))


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


def test_every_field_tells_its_origin():
    origins = {field.key: field.origin for field in drafted().fields}
    assert {origins[key] for key in ("gender", "age", "appearance", "complaint", "history")} == {"entered"}
    assert {origins[key] for key in ("electrodes", "clean", "trust", "processing")} == {"measured"}
    assert {origins[key] for key in ("emotion", "probabilities", "assessment", "suggestions")} == {"suggested"}
    assert origins["follow_up"] == "written"


def test_a_good_and_clear_reading_is_headed_by_its_emotion():
    assert drafted().headline == "Most probable of nine emotions: joy (44.0 %)."


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
    assert "Most probable" not in record.headline


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


def test_an_edited_field_is_the_clinicians_and_the_rest_stays():
    before = drafted()
    after = edit(before, "assessment", "Calm on examination.\r\nSlept badly.")
    changed = [new for old, new in zip(before.fields, after.fields, strict=True) if new != old]
    assert changed == [Field("assessment", "Assessment", "Calm on examination.\nSlept badly.", "written")]


def test_unchanged_text_keeps_its_origin_however_the_browser_ends_its_lines():
    record = drafted()
    for field in record.fields:
        assert edit(record, field.key, field.value.replace("\n", "\r\n") + " ") == record


@pytest.mark.parametrize("typed", ["93", "93 years", "104", "120"])
def test_an_age_above_89_is_not_written_down_when_a_clinician_types_it_either(typed):
    assert value(edit(drafted(), "age", typed), "age") == "90+"


def test_there_is_no_field_of_an_unknown_name():
    with pytest.raises(KeyError, match="nothing"):
        edit(drafted(), "nothing", "x")


def test_markdown_shows_notice_origins_and_every_value():
    record = edit(drafted(), "follow_up", "In two weeks.")
    text = to_markdown(record)
    assert NOTICE in text
    assert "- **Assessment** (AI-suggested, by the model): It is 99 % joy, says the prose." in text
    assert "- **Follow-up** (written by the clinician): In two weeks." in text
    assert "- **Suggestions** (AI-suggested, by the model):\n  - Rest.\n  - Walk.\n" in text
    for origin in ORIGIN_WORDS.values():
        assert origin in text
    for known in (record.model_sha256, record.prompt_sha256, record.created, READOUT_WORDS["both"]):
        assert known in text


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
def test_markup_in_several_lines_of_a_field_stays_text(lines):
    like = ["x"] * len(lines)
    plain, planted = (
        rendered(to_markdown(edit(drafted(), "suggestions", "\n".join(texts)))) for texts in (like, lines)
    )
    assert re.findall(r"<[^>]*>", planted) == re.findall(r"<[^>]*>", plain)
    for line in lines:
        assert f"\n{line.strip()}\n" in text_of(planted)


texts = st.text(max_size=40)
fields = st.builds(Field, texts, texts, texts, st.sampled_from(ORIGINS))
sections = st.builds(Section, texts, texts, st.lists(fields, max_size=3).map(tuple))
records = st.builds(
    Record,
    headline=texts,
    notes=st.lists(texts, max_size=3).map(tuple),
    sections=st.lists(sections, max_size=4)
    .map(tuple)
    .filter(lambda them: len(keys := [f.key for s in them for f in s.fields]) == len(set(keys))),
    created=st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    software=texts,
    model=texts,
    model_sha256=texts,
    prompt_sha256=texts,
    readout=st.sampled_from(sorted(READOUT_WORDS)),
    codec=texts,
    status=st.just("draft"),
)


@settings(deadline=None)
@given(records)
def test_json_gives_the_same_record_back(record):
    text = to_json(record)
    assert from_json(text) == record
    assert json.loads(text) == as_dict(record)
    assert as_dict(record)["notice"] == NOTICE


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "is not a record"),
        ("{}", "is not a record"),
        (damaged(format="eeg-emotion-copilot-record-2"), "is not a record"),
        (damaged(extra=1), "exactly these keys"),
        (damaged(sections={}), "sections have to be a list"),
        (damaged(sections=[1]), "A section has to have exactly these keys"),
        (damaged(notes="x"), "notes have to be a list"),
        (damaged(model=None), "model has to be text"),
        (damaged(model="\ud800"), "model has to be text"),
        (damaged(status="signed"), "Status is 'signed'; it can be draft"),
        (damaged(readout="guess"), "Read-out is 'guess'"),
        (damaged(created="yesterday"), "ISO 8601"),
        (damaged(created="2026-03-01T10:30:00"), "with its zone"),
        (with_field(value=20), "value has to be text"),
        (with_field(origin="measured by hand"), "it can be entered, measured, suggested, written"),
        (with_field(key="age"), "same key"),
        (with_field(colour="red"), "A field has to have exactly these keys"),
    ],
)
def test_json_that_is_no_record_is_refused_in_a_sentence(text, said):
    with pytest.raises(RecordError, match=said) as caught:
        from_json(text)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
