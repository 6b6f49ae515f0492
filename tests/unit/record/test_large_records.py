"""Records as large as they may be leave soon, whatever is in them; larger ones are refused at once."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from copilot.record import review
from copilot.record.export.json_format import MOST_FIELDS, MOST_LINES, MOST_SHOWN, as_dict, from_json, to_json
from copilot.record.export.registry import EXPORTS
from copilot.record.model import MAX_VALUE, MOST_CHANGES, Change, RecordError
from tests.helpers.records import NOW, REVIEWER, drafted

WORDS = "".join(f"{number:x}word " for number in range(1000))


def filled(make):
    """A draft with every text as long as a clinician can make it."""
    record = drafted()
    sections = (
        replace(
            section, fields=tuple(replace(field, value=make(number)) for number, field in enumerate(section.fields))
        )
        for section in record.sections
    )
    return replace(record, sections=tuple(sections))


FULL = {
    "words": lambda number: (WORDS[number:] * 2)[:MAX_VALUE].strip(),
    "one word": lambda number: chr(97 + number) * MAX_VALUE,
    "an address": lambda number: "a." * (MAX_VALUE // 2),
    "digits": lambda number: "1 2-" * (MAX_VALUE // 4),
    "lines": lambda number: "\n".join(["a line"] * 100),
    "marks": lambda number: "*_`[<&|~#" * (MAX_VALUE // 9),
    "Chinese": lambda number: "\u6f22\u5b57" * (MAX_VALUE // 2),
    "Arabic": lambda number: ("\u0645\u0631\u062d\u0628\u0627 " * MAX_VALUE)[:MAX_VALUE].strip(),
    "no font": lambda number: "\U0001f9e0\u200d" * (MAX_VALUE // 2),
}


@pytest.mark.parametrize("kind", FULL)
def test_every_export_of_a_full_record_is_soon_there(kind):
    record = from_json(to_json(filled(FULL[kind])))
    for export in EXPORTS.values():
        began = time.process_time()
        assert export.write(record, None)
        assert time.process_time() - began < 10, export.title  # 5 s where nothing else runs


def test_a_record_whose_person_was_often_renamed_is_soon_there():
    record, at = filled(lambda number: FULL["words"](number) if number > 1 else "Ada"), "2026-03-01T10:30:00Z"
    names = ["", *(f"Ada {number} Lovelace of Marylebone" for number in range(16))]
    changes = [Change(at, "Wu", "physician", "edited", "name", old, new) for old, new in pairwise(names)]
    changes += [Change(at, "Wu", "physician", "edited", "history", "word " * 700, "also " * 700)] * 900
    record = from_json(to_json(replace(record, history=tuple(changes))))
    for export in EXPORTS.values():
        began = time.process_time()
        assert export.write(record, None)
        assert time.process_time() - began < 10, export.title


def with_value(text):
    plain = as_dict(drafted())
    plain["sections"][1]["fields"][0]["value"] = text
    return plain


def with_fields(count):
    plain = as_dict(drafted())
    field = plain["sections"][1]["fields"][0]
    plain["sections"][1]["fields"] += [{**field, "key": f"more{number}"} for number in range(count)]
    return plain


def with_history(*changes):
    return {**as_dict(drafted()), "history": list(changes)}


CHANGE = {"at": "2026-03-01T10:30:00Z", "name": "Wu", "role": "physician", "action": "edited", "key": "history"}
CHANGE |= {"before": "", "after": ""}


@pytest.mark.parametrize(
    "plain",
    [
        with_value("a" * 60_000),
        with_value("word " * 100_000),
        with_value("a\n" * 9_000),
        with_fields(MOST_FIELDS),
        with_fields(100_000),
        with_history(*[CHANGE] * (3 * MOST_CHANGES)),
        with_history({**CHANGE, "after": "a" * 500_000}),
        with_history(*({**CHANGE, "key": "name", "after": f"Ada {number}"} for number in range(500))),
        {**as_dict(drafted()), "notes": ["a" * 10_000] * 100},
        {**as_dict(drafted()), "notes": ["a"] * (MOST_LINES + 1)},
        {**as_dict(drafted()), "headline": "a" * 10**6},
        {**as_dict(drafted()), "software": "a" * 10**6},
        {**as_dict(drafted()), "anything": [[]] * 10**6},
    ],
)
def test_what_is_larger_than_any_record_is_refused_at_once(plain):
    text, began = json.dumps(plain), time.process_time()
    with pytest.raises(RecordError, match="larger than any record of this program"):
        from_json(text)
    assert time.process_time() - began < 5


def test_more_text_than_any_record_has_is_not_even_parsed():
    with pytest.raises(RecordError, match="larger than any record"):
        from_json("[" * 10**7 + "]" * 10)


def test_what_a_clinician_can_type_is_never_too_large():
    record = drafted()
    for field in record.fields:
        if field.key not in ("name", "number"):
            record = review.edit(record, field.key, (WORDS * 2)[: MAX_VALUE - 1], REVIEWER, NOW)
    assert sum(len(field.value) for field in record.fields) < MOST_SHOWN
    assert from_json(to_json(record)) == record
    with pytest.raises(RecordError, match="too many lines; at most 100"):
        review.edit(record, "history", "a\n" * 101, REVIEWER, NOW)


def test_a_record_that_was_changed_too_often_can_still_be_signed():
    record, at = drafted(), "2026-03-01T10:30:00Z"
    record = replace(record, history=(Change(at, "Wu", "physician", "edited", "history", "a", "b"),) * MOST_CHANGES)
    with pytest.raises(RecordError, match="changed 1000 times"):
        review.edit(record, "history", "again", REVIEWER, NOW)
    record = review.delete(record, "assessment", REVIEWER, NOW)
    for field in record.pending:
        record = review.accept(record, field.key, REVIEWER, NOW)
    record = review.sign(record, REVIEWER, "I have reviewed it.", NOW + timedelta(days=1))
    assert from_json(to_json(record)) == record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plain: plain.pop("model"), "model: it is missing."),
        (lambda plain: plain["sections"][0]["fields"][0].pop("label"), "label: it is missing."),
        (lambda plain: plain.update(colour="red"), "colour: no record has it."),
        (lambda plain: plain.update(version="1"), "version: it is of another kind than in a record."),
        (lambda plain: plain.update(notes=[1]), "notes.0: it is of another kind than in a record."),
        (lambda plain: plain.update({"\x1b[2J" + "x" * 10_000: 1}), "x: no record has it."),
    ],
)
def test_what_is_wrong_with_a_record_is_said_in_plain_words(change, said):
    plain = as_dict(drafted())
    change(plain)
    with pytest.raises(RecordError) as caught:
        from_json(json.dumps(plain))
    assert str(caught.value).startswith("The record cannot be used: ")
    assert str(caught.value).endswith(said)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_an_export_that_lacks_a_field_says_so_in_the_readers_language():
    from copilot.i18n import Translator

    record = drafted()
    record = replace(record, sections=record.sections[1:])
    with pytest.raises(RecordError, match=r"has no field '(gender|age)', which is needed") as caught:
        EXPORTS["fhir"].write(record, None)
    assert "字段" in Translator("zh")(caught.value.args[0])
