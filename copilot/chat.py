"""The chat about a reading (see ``ask``)."""

from collections.abc import Iterator, Sequence

from copilot import prompt
from copilot.certainty import answer_from_figures
from copilot.engine.base import ContextError, CutOff, Engine, Message, PromptProgress, Token, Waiting
from copilot.language import Voice, english, language_of
from copilot.safety import answer_at_once

#: Messages that every question needs: system, prompt, the model's answer.
OPENING = 3
#: Later messages that are kept; older ones are forgotten, and all of them where the context overflows nevertheless.
KEPT = 8
MAX_QUESTION = 1000


def ask(
    engine: Engine, conversation: Sequence[Message], question: str, trust: str = "good"
) -> Iterator[Waiting | PromptProgress | Token]:
    """Answer a question about a reading, streaming.

    Words of self-harm or danger are answered at once by a fixed text, before any model is asked; "how sure are you?" is
    answered from the reading's own confidence. The models that were trained for this copilot know English only: asked
    in Chinese they answer the page's own questions, and any other gets a sentence that says so.

    Where the earlier turns do not fit in the context, the question is asked without them.

    Args:
        engine: the language model.
        conversation: the reading's messages, its raw answer, then earlier turns.
        question: at most 1,000 characters are read.
        trust: the recording's quality.

    Raises:
        ContextError: not even the reading and this question fit.
        EngineError: the model cannot answer.
    """
    if fixed := answer_at_once(question):
        yield Token(fixed)
        return
    asked: Message = {"role": "user", "content": question}
    opening = conversation[:OPENING]
    answer = opening[-1]["content"] if len(opening) == OPENING else ""
    if fixed := answer_from_figures(question, answer, trust):
        yield Token(fixed)
        return
    if engine.info.trained_for_eeg and language_of(question) != "en" and question not in _offered():
        yield Token(Voice(language_of(question))(english.CHAT_LANGUAGE))
        return
    later = [_as_learned(turn, answer) for turn in [*conversation[OPENING:], asked][-KEPT - 1 :]]
    try:
        yield from _answered(engine, [*opening, *later])
    except ContextError:
        yield from _answered(engine, [*opening, later[-1]])


def _answered(engine: Engine, messages: Sequence[Message]) -> Iterator[Waiting | PromptProgress | Token]:
    """The answer, with three dots where it lacks its end."""
    for event in engine.generate(messages, max_tokens=300):
        yield Token(" …") if isinstance(event, CutOff) else event


def _offered() -> dict[str, str]:
    """The page's own questions in Chinese, and the same in English."""
    return {Voice("zh")(question): question for question in english.QUESTIONS}


def _as_learned(turn: Message, answer: str) -> Message:
    """A turn as the model learned them; the same each time, so that it is read only once.

    The page's own questions come back in English.
    """
    if turn["role"] != "user":
        return turn
    question = _offered().get(turn["content"], turn["content"])
    return {"role": "user", "content": prompt.question(question[:MAX_QUESTION], answer)}
