"""The chat about a reading (see ``ask``)."""

import re
from collections.abc import Iterator, Sequence

from copilot import prompt
from copilot.certainty import answer_from_figures
from copilot.i18n import N_, Translator, english, language_of
from copilot.llm.base import ContextError, CutOff, Engine, EngineError, Message, PromptProgress, Token, Waiting
from copilot.safety import find_help

CHAT_OUTSIDE = N_(
    "This chat answers four questions: what the reading means, how sure it is, what you can do now, and whether this "
    "is a diagnosis. Everything else that was found is on this page: signal, figures, assessment and record."
)


#: Messages that every question needs: system, prompt, the model's answer.
OPENING = 3
#: Later messages that are kept; older ones are forgotten, and all of them where the context overflows nevertheless.
KEPT = 8
MAX_QUESTION = 1000

_IT = r"(?:it|this|that|(?:the|this|my|your) (?:result|reading|emotion|assessment|answer|eeg))"
#: The page's own questions as people ask them; the rest is not what the small models learned to answer well.
_LEARNED = re.compile(
    rf"(?:what (?:does|do|did) {_IT}(?: all)? (?:mean|say|tell)(?: for me| to me| about me)?"
    rf"|what is {_IT} (?:telling me|saying)|(?:can|could|would) you (?:please )?explain {_IT}|explain {_IT}"
    rf"|i (?:dont|do not) understand {_IT}|how (?:should|do|can) i understand {_IT}|tell me more(?: about {_IT})?"
    r"|what (?:can|could|should|shall|do) (?:i|we) do(?: now| next| about (?:it|this|that)| today)?"
    r"|what (?:can|could|would|might|will)? ?helps?(?: me)?(?: now| right now)?|how can i feel better"
    r"|what (?:do|would|can) you (?:suggest|recommend|advise)|(?:do you have |give me )?(?:any|some) (?:advice|tips)"
    r"|what is the next step|how do i deal with (?:it|this|that)"
    rf"|(?:is|was) {_IT} (?:a |the |my |an official )?(?:medical )?diagnosis|(?:do|can|did) you diagnose(?: me)?)"
)
_AROUND = re.compile(
    r"^(?:(?:so|and|ok|okay|well|but|please|hi|hello|then) )*|(?: (?:please|then|exactly|though|really))*$"
)


class Fixed(Token):
    """A text that no model wrote; a model that found it among its own answers would go on as it never learned to."""


def ask(
    engine: Engine, conversation: Sequence[Message], question: str, trust: str = "good"
) -> Iterator[Waiting | PromptProgress | Token]:
    """Answer a question about a reading, streaming.

    Words of self-harm or danger are answered by a fixed text, or one stands before the answer (see ``safety``); "how
    sure are you?" is answered from the reading's own confidence. The models that were trained for this copilot answer
    the page's own questions, each by itself; any other gets a sentence that says so.

    Where the earlier turns do not fit in the context, the question is asked without them.

    Args:
        engine: the language model.
        conversation: the reading's messages, its raw answer, then earlier turns that the model itself answered.
        question: what the person typed.
        trust: the recording's quality.

    Raises:
        ContextError: not even the reading and this question fit.
        EngineError: the model cannot answer, or the question is longer than ``MAX_QUESTION``.
    """
    found = find_help(question)
    if found:
        yield Fixed(found.text if found.certain else f"{found.text}\n\n")
        if found.certain:
            return
    if len(question) > MAX_QUESTION:
        raise EngineError(N_(english.QUESTION_TOO_LONG, length=len(question), most=MAX_QUESTION))
    opening = conversation[:OPENING]
    answer = opening[-1]["content"] if len(opening) == OPENING else ""
    if fixed := answer_from_figures(question, answer, trust):
        yield Fixed(fixed)
        return
    trained = engine.info.trained_for_eeg
    if (trained or found) and not _is_learned(question):
        yield Fixed(Translator(language_of(question))(CHAT_OUTSIDE))
        return
    asked: Message = {"role": "user", "content": question}
    earlier = [] if trained else conversation[OPENING:]
    later = [_as_learned(turn, answer) for turn in [*earlier, asked][-KEPT - 1 :]]
    try:
        yield from _answered(engine, [*opening, *later])
    except ContextError:
        yield from _answered(engine, [*opening, later[-1]])


def _answered(engine: Engine, messages: Sequence[Message]) -> Iterator[Waiting | PromptProgress | Token]:
    """The answer, with three dots where it lacks its end."""
    for event in engine.generate(messages, max_tokens=300):
        yield Token(" …") if isinstance(event, CutOff) else event


def _is_learned(question: str) -> bool:
    """Whether this is one of the page's own questions, in its words or near them."""
    if question.strip() in _offered():
        return True
    words = re.sub(r"[^a-z ]+", "", question.replace("'s", " is").lower()[: MAX_QUESTION + 1])
    words = _AROUND.sub("", " ".join(words.split()))
    return bool(_LEARNED.fullmatch(words))


def _offered() -> dict[str, str]:
    """The page's own questions in Chinese, and the same in English."""
    return {Translator("zh")(question): question for question in english.QUESTIONS}


def _as_learned(turn: Message, answer: str) -> Message:
    """A turn as the model learned them; the same each time, so that it is read only once.

    The page's own questions come back in English.
    """
    if turn["role"] != "user":
        return turn
    question = _offered().get(turn["content"].strip(), turn["content"])
    return {"role": "user", "content": prompt.question(question, answer)}
