"""Answers into assessment and suggestions, probabilities into read-outs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.emotions import EMOTIONS, uniform_probabilities
from copilot.result import Result, parse_answer

PROSE = "The signal is in keeping with a calm state. It describes minutes, not a person."
SUGGESTIONS = ("Keep a diary.", "Sleep well.")


def reading(**shares):
    rest = (1 - sum(shares.values())) / (9 - len(shares))
    probabilities = np.array([shares.get(name, rest) for name in EMOTIONS])
    return Result(probabilities, "both", "", (), "", {}, "model", "", "", "bands")


@pytest.mark.parametrize(
    "answer",
    [
        f"Assessment: {PROSE}\nSuggestions:\n- Keep a diary.\n- Sleep well.",
        f"Emotion: joy\nConfidence: clear\nAssessment: {PROSE}\nSuggestions:\n- Keep a diary.\n- Sleep well.",
        f"Emotion: joy\nAssessment:\n{PROSE}\n\nSuggestions\n1. Keep a diary.\n2) Sleep well.\n",
        f"**Assessment:** {PROSE}\n\n**Suggestions:**\n* Keep a diary.\n• Sleep well.",
        f"## Assessment\n{PROSE}\n## Suggestions\n- Keep a diary.\n\n- Sleep well.",
        f"{PROSE}\nSUGGESTIONS: Keep a diary.\nSleep well.",
        f"{PROSE}\nSuggestion: Keep a diary.\r\n- Sleep well.",
    ],
)
def test_usual_forms_of_an_answer_are_understood(answer):
    assert parse_answer(answer) == (PROSE, SUGGESTIONS)


def test_prose_without_headings_is_all_assessment():
    assert parse_answer(PROSE) == (PROSE, ())


def test_the_word_suggestions_inside_prose_does_not_split_it():
    prose = "No suggestions: the signal is poor. Suggestions would be a guess."
    assert parse_answer(f"Assessment: {prose}") == (prose, ())


def test_an_answer_cut_short_keeps_what_there_is():
    assert parse_answer("Emotion: joy\nConfidence: clear\nAssessment: The sig") == ("The sig", ())
    assert parse_answer("Emotion: joy") == ("", ())
    assert parse_answer("") == ("", ())


@settings(deadline=None)
@given(st.text())
def test_any_answer_can_be_parsed(answer):
    assessment, suggestions = parse_answer(answer)
    assert assessment == assessment.strip()
    assert all(line.strip() for line in suggestions)


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[A-Z][a-z ]{0,30}\.", fullmatch=True), max_size=5))
def test_suggestions_come_back_one_by_one(lines):
    answer = f"Assessment: {PROSE}\nSuggestions:\n" + "\n".join(f"- {line}" for line in lines)
    assert parse_answer(answer) == (PROSE, tuple(lines))


def test_a_reading_tells_its_first_emotion_class_and_valence():
    happy = reading(joy=0.5, tenderness=0.1)
    assert (happy.emotion, happy.three_class) == ("joy", "positive")
    assert happy.valence == pytest.approx(0.6 + 2 * 0.4 / 7 - 4 * 0.4 / 7)
    assert happy.certain


def test_three_classes_can_outvote_the_first_emotion():
    split = reading(joy=0.3, anger=0.2, fear=0.2, sadness=0.2)
    assert (split.emotion, split.three_class) == ("joy", "negative")
    assert split.valence < 0


@pytest.mark.parametrize("shares", [{}, {"joy": 0.2}, {"joy": 0.3, "anger": 0.28}])
def test_a_reading_is_not_certain_without_a_clear_lead(shares):
    assert not reading(**shares).certain


def test_knowing_nothing_is_not_certain():
    assert not Result(uniform_probabilities(), "both", "", (), "", {}, "", "", "", "").certain
