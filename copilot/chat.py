"""Answer questions about a result (see ``ask``)."""

import re
from collections.abc import Iterator, Sequence

from copilot import prompt
from copilot.emotions import EMOTIONS
from copilot.i18n import N_, Translator, detect_language
from copilot.i18n import messages as shared_messages
from copilot.i18n.terms import term
from copilot.llm.base import ContextError, CutOff, Engine, EngineError, Message, PromptProgress, Token, Waiting
from copilot.safety import find_help

NOT_ANSWERED = N_(
    "This chat answers four questions: what the reading means, how sure it is, what you can do now, and whether this "
    "is a diagnosis. Everything else that was found is on this page: signal, figures, assessment and record."
)

HOW_SURE = {
    "clear": N_(
        "The confidence is clear: {emotion} is at least twice as likely as by chance and stands out from the others. "
        "Even then such readings are often wrong."
    ),
    "leaning": N_(
        "Not very sure. The reading only leans towards {emotion}: it is more likely than by chance, but other emotions "
        "are close behind."
    ),
    "unclear": N_(
        "Not sure at all. No emotion stands out, and {emotion} is only the first of nine that are about as likely."
    ),
}
HOW_SURE_POOR = N_(
    "Not sure at all. The recording is poor, so that what was read from it is hardly more than a guess: record again "
    "if you can."
)
HOW_SURE_NONE = N_(
    "No emotion was named, because this EEG does not single out one. The person's own words count for more, and this "
    "is not a diagnosis."
)
HOW_SURE_THEN = N_(
    "{answer} The bars show all nine probabilities. The person's own words count for more, and this is not a diagnosis."
)

#: Messages that every question needs: system, prompt, the model's answer.
OPENING = 3
#: Later messages that are sent; older ones are left out, and all of them if the context overflows nevertheless.
MAX_LATER = 8
MAX_QUESTION = 1000

_IT = r"(?:it|this|that|(?:the|this|my|your) (?:result|reading|emotion|assessment|answer|eeg))"
#: The page's own questions as people ask them; the small models were not trained to answer others well.
_TRAINED_QUESTIONS = re.compile(
    rf"(?:what (?:does|do|did) {_IT}(?: all)? (?:mean|say|tell)(?: for me| to me| about me)?"
    rf"|what is {_IT} (?:telling me|saying)|(?:can|could|would) you (?:please )?explain {_IT}|explain {_IT}"
    rf"|i (?:dont|do not) understand {_IT}|how (?:should|do|can) i understand {_IT}|tell me more(?: about {_IT})?"
    r"|what (?:can|could|should|shall|do) (?:i|we) do(?: now| next| about (?:it|this|that)| today)?"
    r"|what (?:can|could|would|might|will)? ?helps?(?: me)?(?: now| right now)?|how can i feel better"
    r"|what (?:do|would|can) you (?:suggest|recommend|advise)|(?:do you have |give me )?(?:any|some) (?:advice|tips)"
    r"|what is the next step|how do i deal with (?:it|this|that)"
    rf"|(?:is|was) {_IT} (?:a |the |my |an official )?(?:medical )?diagnosis|(?:do|can|did) you diagnose(?: me)?)"
)
_FILLER_WORDS = re.compile(
    r"^(?:(?:so|and|ok|okay|well|but|please|hi|hello|then) )*|(?: (?:please|then|exactly|though|really))*$"
)

_CONFIDENCE_QUESTION = re.compile(
    r"\bhow\b.{0,30}\b(sure|certain|confident|reliable|accurate|likely)\b|\b(are|is)\b.{0,20}\b(sure|certain|correct)\b"
    r"|\b(what|how)\b.{0,30}\b(confidence|certainty|uncertainty)\b"
    r"|\b(can|could|may|might|is)\b.{0,20}\b(wrong|mistaken|a mistake)\b|\b(can|should) i (trust|believe|rely on)\b"
    r"|多(大|高)?的?(确定|把握|肯定|可信|可靠|准|信心)|(确定|肯定|可信|可靠|准确?|靠谱|有把握)(吗|么)"
    r"|(确定|可信|可靠|准确?|靠谱)不(确定|可信|可靠|准|靠谱)|(置信|可信|确信|确定)(度|程度)|准确(率|性)|(会|可能|是)不?(会|能|是)?.{0,4}((?<!不)错(?!过)|不准)",
    re.IGNORECASE,
)
#: Characters; a longer question asks for more than how sure the result is.
MAX_CONFIDENCE_QUESTION = 80


class FixedText(Token):
    """A text that no model wrote.

    It is not given to the model as an earlier answer: the model never learned to continue after it.
    """


def ask(
    engine: Engine, conversation: Sequence[Message], question: str, trust: str = "good", region: str = ""
) -> Iterator[Waiting | PromptProgress | Token]:
    """Answer a question about a result, streaming.

    A message about self-harm or danger gets a fixed text, alone or before the answer (``safety``). "How sure are you?"
    is answered from the result's own confidence. The models that were trained for this copilot answer the page's own
    questions, each by itself; every other question gets a sentence that states this.

    If the earlier turns do not fit into the context, the question is asked without them.

    Args:
        engine: the language model.
        conversation: the result's messages, its raw answer, then earlier turns that the model itself answered.
        question: what the person typed.
        trust: the recording's quality, ``good``, ``fair`` or ``poor``.
        region: the person's country, for the lines of help (see ``find_help``).

    Raises:
        ContextError: not even the result and this question fit.
        EngineError: the model cannot answer, or the question is longer than ``MAX_QUESTION``.
    """
    found = find_help(question, region)
    if found:
        yield FixedText(found.text if found.certain else f"{found.text}\n\n")
        if found.certain:
            return
    if len(question) > MAX_QUESTION:
        raise EngineError(N_(shared_messages.QUESTION_TOO_LONG, length=len(question), most=MAX_QUESTION))
    opening = conversation[:OPENING]
    answer = opening[-1]["content"] if len(opening) == OPENING else ""
    if fixed := answer_confidence_question(question, answer, trust):
        yield FixedText(fixed)
        return
    trained = engine.info.trained_for_eeg
    if trained and answer.startswith(prompt.NO_EMOTION) and _is_trained_question(question):
        yield FixedText(answer.removeprefix(prompt.NO_EMOTION).strip())  # the model was trained on named emotions only
        return
    if (trained or found) and not _is_trained_question(question):
        yield FixedText(Translator(detect_language(question))(NOT_ANSWERED))
        return
    asked: Message = {"role": "user", "content": question}
    earlier = [] if trained else conversation[OPENING:]
    later = []
    for turn in [*earlier, asked][-MAX_LATER - 1 :]:
        if turn["role"] == "user":  # in the form that the model was trained on, the same each time: it is read once
            text = _translate_questions().get(turn["content"].strip(), turn["content"])
            turn = {"role": "user", "content": prompt.format_question(text, answer)}
        later.append(turn)
    try:
        yield from _generate_answer(engine, [*opening, *later])
    except ContextError:
        yield from _generate_answer(engine, [*opening, later[-1]])


def answer_confidence_question(question: str, answer: str, trust: str = "good") -> str | None:
    """Return the answer to "how sure are you?" in the language of the question, or None for any other question.

    The answer is written by code: asked how sure it is, the bundled model answers fluently and often with another
    confidence than the result's own (measured: always ``clear``).

    Args:
        question: what the person typed.
        answer: the result's raw answer; None is returned unless it begins with an emotion and a confidence.
        trust: the recording's quality, ``good``, ``fair`` or ``poor``.
    """
    names = "|".join((*EMOTIONS, "none"))
    found = re.match(rf"{prompt.LABEL_PREFIX} ({names})\nConfidence: ({'|'.join(HOW_SURE)})\b", answer)
    if not found or len(question) > MAX_CONFIDENCE_QUESTION or not _CONFIDENCE_QUESTION.search(question):
        return None
    translate = Translator(detect_language(question))
    if found[1] == "none":
        return translate(HOW_SURE_NONE)
    if trust == "poor":
        return translate(HOW_SURE_THEN, answer=translate(HOW_SURE_POOR))
    emotion = N_("a neutral state") if found[1] == "neutral" else term("emotion", found[1])
    return translate(HOW_SURE_THEN, answer=translate(HOW_SURE[found[2]], emotion=emotion))


def _generate_answer(engine: Engine, messages: Sequence[Message]) -> Iterator[Waiting | PromptProgress | Token]:
    """Yield the model's answer, with three dots if it was cut off."""
    for event in engine.generate(messages, max_tokens=300):
        yield Token(" …") if isinstance(event, CutOff) else event


def _is_trained_question(question: str) -> bool:
    """Return whether this is one of the page's own questions, in its words or similar ones."""
    if question.strip() in _translate_questions():
        return True
    words = re.sub(r"[^a-z ]+", "", question.replace("'s", " is").lower()[: MAX_QUESTION + 1])
    words = _FILLER_WORDS.sub("", " ".join(words.split()))
    return bool(_TRAINED_QUESTIONS.fullmatch(words))


def _translate_questions() -> dict[str, str]:
    """Return the page's own questions: their Chinese text, and the same in English."""
    return {Translator("zh")(question): question for question in shared_messages.QUESTIONS}
