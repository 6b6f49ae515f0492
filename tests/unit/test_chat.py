"""What a question gets: a fixed text, figures, or the model; and what the model gets to read."""

from collections.abc import Sequence

import pytest

from copilot import chat
from copilot.chat import FixedText
from copilot.i18n import Translator, messages
from copilot.llm.base import EngineError, Message, ModelInfo, Token
from tests.helpers.fake_engine import FakeEngine

OPENING: list[Message] = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "u"},
    {"role": "assistant", "content": "Emotion: joy\nConfidence: leaning\nAssessment: fine."},
]
TRAINED = ModelInfo(name="ours", sha256="f" * 64, metadata={"codec": "bands"})


def trained() -> FakeEngine:
    engine = FakeEngine(answers=["A model wrote this."], info=TRAINED)
    assert engine.info.trained_for_eeg
    return engine


def answered(engine: FakeEngine, question: str, earlier: Sequence[Message] = ()) -> list[Token]:
    events = chat.ask(engine, [*OPENING, *earlier], question)
    return [event for event in events if isinstance(event, Token)]


def text(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens)


@pytest.mark.parametrize(
    "question",
    [
        *messages.QUESTIONS[:1],
        *messages.QUESTIONS[2:],
        *(Translator("zh")(question) for question in (messages.QUESTIONS[0], messages.QUESTIONS[2])),
        "what does this mean",
        "What does that mean for me?",
        "Could you explain the result?",
        "I don't understand this.",
        "So what can I do about it, please?",
        "What helps?",
        "what's the next step?",
        "Is it a medical diagnosis?",
    ],
)
def test_the_page_s_own_questions_go_to_the_model(question: str) -> None:
    engine = trained()
    assert text(answered(engine, question)) == "A model wrote this."
    assert len(engine.calls) == 1


@pytest.mark.parametrize(
    "question",
    [
        "Which electrodes showed it?",
        "I slept badly",
        "Should I stop taking my sertraline?",
        "What can I do to stay awake all night?",
        "Write a poem about spring",
        "What does my boss mean by that?",
        "Which emotion came second?",
        "asdf",
        "???",
    ],
)
def test_any_other_question_gets_a_fixed_sentence(question: str) -> None:
    engine = trained()
    tokens = answered(engine, question)
    assert text(tokens) == chat.NOT_ANSWERED
    assert all(isinstance(token, FixedText) for token in tokens)
    assert not engine.calls


def test_the_fixed_sentence_is_in_the_language_of_the_question() -> None:
    assert text(answered(trained(), "我现在的情绪稳定吗？")) == Translator("zh")(chat.NOT_ANSWERED)


def test_a_model_trained_here_reads_the_reading_and_this_question_alone() -> None:
    engine = trained()
    earlier: list[Message] = [{"role": "user", "content": "before"}, {"role": "assistant", "content": "that"}] * 5
    answered(engine, "What does it mean?", earlier)
    assert len(engine.calls[0].messages) == len(OPENING) + 1


def test_another_model_answers_freely_and_remembers() -> None:
    engine = FakeEngine(answers=["Freely."])
    earlier: list[Message] = [{"role": "user", "content": "before"}, {"role": "assistant", "content": "that"}]
    assert text(answered(engine, "Write a poem about spring", earlier)) == "Freely."
    assert [message["content"] for message in engine.calls[0].messages[-3:-1]] == [
        engine.calls[0].messages[-3]["content"],
        "that",
    ]
    assert len(engine.calls[0].messages) == len(OPENING) + 3


def test_certain_danger_is_answered_by_the_fixed_text_alone() -> None:
    engine = FakeEngine()
    tokens = answered(engine, "I want to kill myself")
    assert "988" in text(tokens)
    assert all(isinstance(token, FixedText) for token in tokens)
    assert not engine.calls


@pytest.mark.parametrize("engine", [trained(), FakeEngine(answers=["Five hundred."])])
def test_possible_danger_gets_help_beside_an_answer_that_no_model_invents(engine: FakeEngine) -> None:
    said = text(answered(engine, "How many paracetamol are too many at once?"))
    assert "findahelpline.com" in said or "988" in said
    assert said.endswith(chat.NOT_ANSWERED)
    assert not engine.calls


def test_a_question_that_is_too_long_is_refused_in_a_sentence() -> None:
    with pytest.raises(EngineError, match="1001 characters"):
        answered(trained(), "x" * 1001)
