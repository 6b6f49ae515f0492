"""Compose the assistant's texts for training: assessments, suggestions, and follow-up questions with their answers.

The sentences are in ``templates/*.toml`` and were written for this project; this module only puts them together. A
sentence is always used whole, because a very small model learns sentences by heart. All functions are pure: the same
arguments and the same state of ``rng`` give the same text.
"""

import random
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from copilot import emotions
from copilot.person import Person

FOLDER = Path(__file__).parent / "templates"
LEVELS = ("clear", "leaning", "unclear")
KINDS = ("now", "daily", "people")
#: In place of an emotion where none is named.
NONE = "none"

#: For each band the first age (years) that no longer belongs to it.
AGE_BANDS = {"child": 13, "teenager": 18, "young adult": 30, "adult": 60, "older": 1000}

PRONOUNS = {
    "female": {"they": "she", "them": "her", "their": "her"},
    "male": {"they": "he", "them": "him", "their": "his"},
}
NO_GENDER = {"they": "they", "them": "them", "their": "their"}


def age_band(age: int | None) -> str:
    """Return the key of ``AGE_BANDS`` that an age in years belongs to, or ``not given``."""
    return "not given" if age is None else next(band for band, end in AGE_BANDS.items() if age < end)


def write_assessment(emotion: str, person: Person, level: str, rng: random.Random, states: Sequence[str] = ()) -> str:
    """Write sentences: the result, states, its meaning, daily life, the person's own words, and that this is a draft.

    Args:
        emotion: one of the nine; the text names no other. ``none`` where none is named.
        person: the text points to the person's own words and never interprets them.
        level: confidence, one of ``LEVELS``.
        rng: chooses among the sentences.
        states: what the EEG tells of the person's state, in the words of ``prompt.list_states``.
    """
    bank = _load_sentences("assessments")
    opening = bank["opening"][NONE if emotion == NONE else level]
    daily = [] if emotion == NONE else [bank["daily"][emotion]]
    own_words = bank["own_words"]["told" if _name_own_words(person) else "untold"]
    closing = bank["closing"]["child" if age_band(person.age) == "child" else "anyone"]
    kinds = (opening, *(bank["state"][state] for state in states), bank["meaning"][emotion], *daily, own_words, closing)
    return " ".join(_fill_placeholders(rng.choice(sentences), emotion, person, rng) for sentences in kinds)


def write_suggestions(emotion: str, person: Person, rng: random.Random) -> tuple[str, ...]:
    """Write three lines: something for the moment, something for the week, and whom to talk to.

    Args:
        emotion: one of the nine, or ``none``.
        person: the lines fit the person's age.
        rng: chooses among the lines.
    """
    bank, band = _load_sentences("suggestions"), age_band(person.age)
    written = []
    for kind in KINDS:  # what to do depends on the emotion, whom to talk to on its class
        lines = bank[kind][_find_class(emotion) if kind == "people" and emotion != NONE else emotion]
        written.append(rng.choice(lines["child"] if band == "child" else lines["anyone"] + lines.get(band, [])))
    return tuple(written)


def write_answer(emotion: str, person: Person, level: str, rng: random.Random, states: Sequence[str] = ()) -> str:
    """Write assessment and suggestions in the form that ``copilot.result.parse_answer`` splits.

    Args:
        emotion: one of the nine, or ``none``.
        person: whom the text is about.
        level: confidence, one of ``LEVELS``.
        rng: chooses among the sentences.
        states: see ``write_assessment``.
    """
    prose = write_assessment(emotion, person, level, rng, states)
    lines = "\n".join(f"- {line}" for line in write_suggestions(emotion, person, rng))
    return f"Assessment: {prose}\nSuggestions:\n{lines}"


def list_topics() -> tuple[str, ...]:
    """Return the topics of follow-up questions."""
    return tuple(_load_sentences("follow_ups"))


def write_follow_up(
    emotion: str, person: Person, level: str, rng: random.Random, topic: str | None = None
) -> tuple[str, str]:
    """Write a follow-up question about a result, and its answer.

    Topics with more phrasings are drawn more often, because they are harder to recognise.

    Args:
        emotion: the result's emotion, one of the nine, or ``none``.
        person: whom the result is about.
        level: the result's confidence, one of ``LEVELS``.
        rng: draws the topic and chooses among the sentences.
        topic: one of ``list_topics()``; by default any.
    """
    bank = _load_sentences("follow_ups")
    answers = {name: found for name, entry in bank.items() if (found := _find_answers(entry, emotion, level))}
    weights = [len(bank[name]["questions"]) for name in answers]
    topic = topic or rng.choices(list(answers), weights)[0]
    questions = [text for text in bank[topic]["questions"] if emotion != NONE or "{label}" not in text]
    question = rng.choice(questions).format(label=emotion, level=level)
    lines = {"level": level}
    if emotion != NONE:
        lines |= {kind: rng.choice(_load_sentences("assessments")[kind][emotion]) for kind in ("meaning", "daily")}
    lines |= dict(zip(("now", "step", "people"), write_suggestions(emotion, person, rng), strict=True))
    reply = re.sub(r"\{(\w+)\}", lambda match: lines.get(match[1], match[0]), rng.choice(answers[topic]))
    if rng.random() < 0.25:  # as people type: in small letters, without a full stop
        question = question.lower().rstrip(".?!")
    return question, _fill_placeholders(reply, emotion, person, rng)


def find_other_emotions(text: str, emotion: str) -> list[str]:
    """Return the words of ``text`` that clearly name another emotion than ``emotion``, lower case, in their order."""
    stems = [
        stem for other, words in _load_sentences("assessments")["words"].items() if other != emotion for stem in words
    ]
    return re.findall(rf"\b(?:{'|'.join(stems)})\w*", text.lower())


def _find_answers(entry: dict[str, Any], emotion: str, level: str) -> list[str]:
    """Return the answers of a topic that fit a result, before their placeholders are filled."""
    answers: Any = entry["answers"]
    if emotion == NONE:
        every = answers if isinstance(answers, list) else []
        return entry.get(NONE) or [text for text in every if not re.search(r"\{(emotion|meaning|daily|level)\}", text)]
    if isinstance(answers, dict):
        answers = answers.get(level) or answers[_find_class(emotion)]
    found: list[str] = answers
    return found


def _find_class(emotion: str) -> str:
    """Return the emotion's class: ``negative``, ``neutral`` or ``positive``."""
    return emotions.THREE_CLASSES[emotions.CLASS_OF[emotions.EMOTIONS.index(emotion)]]


def _fill_placeholders(sentence: str, emotion: str, person: Person, rng: random.Random) -> str:
    """Replace the placeholders and begin every sentence with a capital letter."""
    bank = _load_sentences("assessments")
    band = age_band(person.age)
    who = bank["who"].get(person.gender, bank["who"]["other"])[band]
    words = PRONOUNS.get(person.gender, NO_GENDER) | {
        "emotion": bank["name"].get(emotion, ""),
        "this": f"this {who}",
        "the": f"the {who}",
        "where": rng.choice(bank["where"][band]),
        "told": _name_own_words(person),
    }
    filled = sentence.format_map(words)
    return re.sub(r"(^|[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), filled)


def _name_own_words(person: Person) -> str:
    """List the fields with the person's own words, as ``appearance, complaint and history``; empty if there is none."""
    given = [name for name in ("appearance", "complaint", "history") if getattr(person, name)]
    return " and ".join([", ".join(given[:-1]), given[-1]]) if len(given) > 1 else "".join(given)


@cache
def _load_sentences(name: str) -> dict[str, Any]:
    """Return the contents of a file in ``templates``, by its name without ``.toml``."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
