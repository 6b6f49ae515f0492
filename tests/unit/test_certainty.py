import re

import pytest

from copilot.chat import answer_confidence_question
from copilot.training import answer_templates

READING = "Emotion: {}\nConfidence: {}\nAssessment: ..."


@pytest.mark.parametrize(("level", "words"), [("clear", "stands out"), ("leaning", "leans"), ("unclear", "sure at")])
def test_the_answer_follows_the_readings_own_confidence(level: str, words: str) -> None:
    answer = answer_confidence_question("How sure are you?", READING.format("fear", level))
    assert answer is not None
    assert words in answer
    assert "fear" in answer
    assert "not a diagnosis" in answer


def test_where_nothing_was_named_it_says_so() -> None:
    for question, words in (("How sure are you?", "No emotion was named"), ("确定吗", "没有说出任何情绪")):
        answer = answer_confidence_question(question, READING.format("none", "unclear"))
        assert answer is not None
        assert words in answer


@pytest.mark.parametrize(
    "question",
    [
        *("how sure are you", "Are you sure?", "How certain is this?", "What is your confidence?"),
        *("Could this be wrong?", "Can this be wrong?", "Is it a mistake?", "Can I trust this?"),
    ],
)
def test_the_usual_ways_to_ask_are_recognised(question: str) -> None:
    assert answer_confidence_question(question, READING.format("joy", "leaning"))


@pytest.mark.parametrize(
    "question",
    ["What can I do now?", "Is this a diagnosis?", "thanks", "What is EEG?", "how do I sleep better?", "am I ill?"],
)
def test_other_questions_are_left_to_the_model(question: str) -> None:
    assert answer_confidence_question(question, READING.format("joy", "leaning")) is None


@pytest.mark.parametrize(
    "question",
    [
        "你有多确定？",
        "确定吗",
        "可信吗?",
        "这个结果可靠吗？",
        "有多大把握？",
        "准不准？",
        "置信度是多少？",
        "会不会错？",
        "可能是错的吗",
    ],
)
@pytest.mark.parametrize(
    ("emotion", "level", "words"),
    [("fear", "clear", "恐惧"), ("joy", "leaning", "倾向于喜悦"), ("neutral", "unclear", "中性状态")],
)
def test_a_question_in_chinese_is_answered_in_chinese(question: str, emotion: str, level: str, words: str) -> None:
    answer = answer_confidence_question(question, READING.format(emotion, level))
    assert answer is not None
    assert words in answer
    assert "不构成诊断" in answer
    assert not re.search("[A-Za-z]", answer)


@pytest.mark.parametrize(
    "question", ["这是什么意思？", "我现在可以做什么？", "这是诊断吗？", "谢谢", "准备好了吗", "什么是脑电图？"]
)
def test_other_questions_in_chinese_are_left_to_the_model(question: str) -> None:
    assert answer_confidence_question(question, READING.format("joy", "leaning")) is None


def test_without_a_reading_of_ours_it_says_nothing() -> None:
    assert answer_confidence_question("How sure are you?", "I think they are happy.") is None


def test_most_phrasings_of_the_projects_own_corpus_are_recognised() -> None:
    import random

    from copilot.person import Person

    rng = random.Random(0)
    asked = {answer_templates.write_follow_up("joy", Person(), "clear", rng, topic="sure")[0] for _ in range(200)}
    recognised = [q for q in asked if answer_confidence_question(q, READING.format("joy", "clear"))]
    assert len(recognised) >= 0.5 * len(asked), asked - set(recognised)
