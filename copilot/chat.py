"""The chat about a reading (see ``ask``)."""

from collections.abc import Iterator, Sequence

from copilot import prompt
from copilot.engine.base import Engine, Message, PromptProgress, Token, Waiting
from copilot.safety import answer_at_once

#: Messages that every question needs: system, prompt, the model's answer.
OPENING = 3
#: Later messages that are kept; older ones are forgotten so that the context never overflows.
KEPT = 8
MAX_QUESTION = 1000


def ask(engine: Engine, conversation: Sequence[Message], question: str) -> Iterator[Waiting | PromptProgress | Token]:
    """Answer a question about a reading, streaming.

    Words of self-harm or danger are answered at once by a fixed text, before any model is asked.

    Args:
        engine: the language model.
        conversation: the reading's messages, its raw answer, then earlier turns.
        question: at most 1,000 characters are read.

    Raises:
        EngineError: the model cannot answer.
    """
    if fixed := answer_at_once(question):
        yield Token(fixed)
        return
    later = list(conversation[OPENING:])[-KEPT:]
    asked: Message = {"role": "user", "content": prompt.plain(question[:MAX_QUESTION])}
    yield from engine.generate([*conversation[:OPENING], *later, asked], max_tokens=300)
