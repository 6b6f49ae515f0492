import itertools
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot import emotions
from copilot.person import GENDERS, Person
from copilot.result import parse_answer
from copilot.training import answer_templates

AGES = (None, 4, 12, 13, 17, 18, 29, 30, 59, 60, 99)
PEOPLE = [Person(gender, age) for gender, age in itertools.product(GENDERS, AGES)]
CASES = list(itertools.product(emotions.EMOTIONS, PEOPLE, answer_templates.LEVELS))

ages = st.none() | st.integers(0, 120)
people = st.builds(Person, st.sampled_from(GENDERS), ages, complaint=st.sampled_from(["", "x"]))
readings = st.tuples(st.sampled_from(emotions.EMOTIONS), people, st.sampled_from(answer_templates.LEVELS))
seeds = st.integers(0, 2**32)


@given(readings, seeds)
def test_answer_splits_into_assessment_and_three_suggestions(reading, seed):
    emotion, person, level = reading
    assessment, suggestions = parse_answer(answer_templates.write_answer(*reading, random.Random(seed)))
    rng = random.Random(seed)
    assert assessment == answer_templates.write_assessment(emotion, person, level, rng)
    assert suggestions == answer_templates.write_suggestions(emotion, person, rng)
    assert len(suggestions) == 3


@given(readings, seeds)
def test_lengths(reading, seed):
    emotion, person, level = reading
    rng = random.Random(seed)
    assert 45 <= len(answer_templates.write_assessment(emotion, person, level, rng).split()) <= 85
    assert all(8 <= len(line.split()) <= 18 for line in answer_templates.write_suggestions(emotion, person, rng))


@given(readings, seeds)
def test_assessment_names_its_own_emotion_and_no_other(reading, seed):
    emotion, _, _ = reading
    text = answer_templates.write_answer(*reading, random.Random(seed))
    assert emotion in text.lower()
    assert answer_templates.find_other_emotions(text, emotion) == []


def test_no_sentence_of_an_emotion_names_another():
    for emotion in emotions.EMOTIONS:
        bank = answer_templates._load_sentences("assessments")
        advice = answer_templates._load_sentences("suggestions")
        lines = bank["meaning"][emotion] + bank["daily"][emotion]
        lines += [line for kind in ("now", "daily") for band in advice[kind][emotion].values() for line in band]
        assert [line for line in lines if answer_templates.find_other_emotions(line, emotion)] == []


def test_follow_up_answers_do_not_contradict_the_reading():
    rng = random.Random(0)
    for (emotion, person, level), topic in itertools.product(CASES[::7], answer_templates.list_topics()):
        _, answer = answer_templates.write_follow_up(emotion, person, level, rng, topic)
        assert topic in ("others", "valence") or answer_templates.find_other_emotions(answer, emotion) == [], answer


@pytest.mark.parametrize("words", ["Anger is there.", "He is angry", "an unhappy day", "joyful", "it was terrifying"])
def test_other_emotions_are_found(words):
    assert answer_templates.find_other_emotions(words, "neutral")


def test_harmless_words_are_not_taken_for_emotions():
    assert answer_templates.find_other_emotions("What happens may be enjoyed; gloves and functions.", "neutral") == []


@pytest.mark.parametrize("topic", answer_templates.list_topics())
def test_every_topic_answers_every_reading(topic):
    rng = random.Random(1)
    for emotion, person, level in CASES:
        question, answer = answer_templates.write_follow_up(emotion, person, level, rng, topic)
        assert question
        assert answer[0].isupper()
        assert answer[-1] in ".?"
        assert not re.search(r"[{}\d]", question + answer)


def test_no_figures_or_open_placeholders_in_answers():
    rng = random.Random(2)
    for emotion, person, level in CASES:
        text = answer_templates.write_answer(emotion, person, level, rng)
        assert not re.search(r"[{}\d]| {2}|\.\.", text), text


def test_each_topic_has_at_least_six_phrasings_and_two_answers():
    for topic, entry in answer_templates._load_sentences("follow_ups").items():
        banks = entry["answers"].values() if isinstance(entry["answers"], dict) else [entry["answers"]]
        assert len(set(entry["questions"])) >= 6, topic
        assert all(len(set(answers)) >= 2 for answers in banks), topic


def test_no_question_belongs_to_two_topics():
    questions = [
        q.lower() for entry in answer_templates._load_sentences("follow_ups").values() for q in entry["questions"]
    ]
    assert len(questions) == len(set(questions))


def test_every_assessment_says_it_is_a_draft_and_no_diagnosis():
    rng = random.Random(3)
    for emotion, person, level in CASES:
        closing = answer_templates.write_assessment(emotion, person, level, rng).split(". ")[-1]
        assert "draft" in closing
        assert "diagnosis" in closing


def test_no_diagnoses_or_medicine_in_answers():
    rng = random.Random(4)
    text = " ".join(
        answer_templates.write_answer(emotion, person, level, rng) for emotion, person, level in CASES
    ).lower()
    assert not re.search(r"depressi|disorder|bipolar|medic|drug|\bdose|tablet|pill", text)


def test_same_seed_same_text_and_many_different_ones():
    person = Person("female", 20)

    def assessments(seed):
        rng = random.Random(seed)
        return [answer_templates.write_assessment("joy", person, "leaning", rng) for _ in range(500)]

    assert assessments(5) == assessments(5)
    assert len(set(assessments(5))) > 450


@pytest.mark.parametrize(
    ("person", "words"),
    [
        (Person("female", 8), "girl"),
        (Person("male", 15), "teenage boy"),
        (Person("female", 20), "young woman"),
        (Person("male", 45), "man"),
        (Person("other", 70), "older person"),
        (Person(), "person"),
    ],
)
def test_the_person_is_named_by_age_and_gender(person, words):
    rng = random.Random(6)
    assert all(f"this {words}" in answer_templates.write_assessment("fear", person, "clear", rng) for _ in range(50))


def test_advice_for_a_child_speaks_to_adults_around_it():
    rng = random.Random(7)
    for emotion in emotions.EMOTIONS:
        for _ in range(30):
            assert not re.search(
                r"\byourself\b", " ".join(answer_templates.write_suggestions(emotion, Person("male", 7), rng))
            )
            assert (
                "the child"
                not in " ".join(answer_templates.write_suggestions(emotion, Person("male", 40), rng)).lower()
            )


def test_own_words_are_pointed_to_by_field_only():
    rng = random.Random(8)
    told = Person("female", 20, appearance="pale as a ghost", history="none")
    written = [answer_templates.write_assessment("joy", told, "clear", rng) for _ in range(50)]
    assert all("appearance and history" in text and "ghost" not in text for text in written)
    assert all(
        "appearance and history" not in answer_templates.write_assessment("joy", Person(), "clear", rng)
        for _ in range(50)
    )


SURE = [("clear", "clear|sure"), ("leaning", "lean|moderately|not very"), ("unclear", "not sure|unclear|uncertain")]


@pytest.mark.parametrize(("level", "words"), SURE)
def test_how_sure_depends_on_confidence(level, words):
    rng = random.Random(9)
    answers = {answer_templates.write_follow_up("joy", Person(), level, rng, "sure")[1].lower() for _ in range(50)}
    assert all(re.search(words, answer) for answer in answers)
    other = "unclear" if level == "clear" else "clear"
    assert answers.isdisjoint(
        {answer_templates.write_follow_up("joy", Person(), other, rng, "sure")[1].lower() for _ in range(50)}
    )


def test_the_vocabulary_stays_small():
    rng = random.Random(10)
    words = set()
    for emotion, person, level in CASES * 5:
        question, answer = answer_templates.write_follow_up(emotion, person, level, rng)
        text = f"{answer_templates.write_answer(emotion, person, level, rng)} {question} {answer}".lower()
        words.update(re.findall(r"[a-z]+", text))
    assert len(words) < 2000
