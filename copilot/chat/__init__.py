"""Answer questions about a result (see ``ask``): facts by code, explanations in reviewed texts, other models checked.

``understanding`` finds what a message asks, ``replies`` which facts or reviewed texts answer it, and ``answer_check``
checks what a model says that was not trained here.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from copilot import prompt
from copilot.chat.answer_check import check_answer, format_facts
from copilot.chat.replies import find_reply, nearest_questions, suggest_questions
from copilot.chat.understanding import ABOUT_ANSWER, OUTSIDE, Asked, find_nearest, understand
from copilot.facts import Fact, Facts
from copilot.i18n import N_, Translator, detect_language
from copilot.i18n import messages as shared_messages
from copilot.llm.base import ContextError, CutOff, Engine, EngineError, Message, PromptProgress, Token, Waiting
from copilot.safety import find_help

NOT_UNDERSTOOD = N_(
    "I can answer questions about this reading, the recording, how it was done and what may help. I am not sure that I "
    "understood this one. Did you mean one of these?"
)
BESIDE_HELP = N_(
    "An EEG cannot show this; what you say yourself counts for more, so please tell somebody you trust. If you asked "
    "something else, did you mean one of these?"
)
NOT_ABOUT = N_("I cannot answer that: I only know about this reading and what may help. You can ask for example:")
EITHER = N_("I am not sure what you ask; this may answer it.")
#: Intents whose questions are offered where a message is about something else.
EXAMPLES = ("everything", "confidence", "quality")
MAX_QUESTION = 1000
#: Earlier turns that a model reads that was not trained here; none if they do not fit into its context.
MAX_TURNS = 4
#: Languages that a follow-up asks for.
LANGUAGES = {"in_chinese": "zh", "in_english": "en"}


class FixedText(Token):
    """A text that no model wrote: facts by code, or a reviewed text."""


class FactText(FixedText):
    """The facts' own sentence, in place of one that a model wrote and the facts do not support."""


@dataclass(frozen=True)
class Answered:
    """What an answer rests on: the last event of ``ask``.

    Attributes:
        asked: what the message was understood to ask.
        facts: that the answer states, or for a model that answered freely, that it was asked about.
        next_questions: that fit this one, in its language, for buttons.
        language: of the answer.
    """

    asked: tuple[Asked, ...] = ()
    facts: tuple[Fact, ...] = ()
    next_questions: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True)
class Turn:
    """A question and its answer, as far as later questions need them."""

    question: str
    answer: str
    asked: tuple[Asked, ...] = ()


Event = Waiting | PromptProgress | Token | Answered


def ask(
    engine: Engine,
    opening: Sequence[Message],
    question: str,
    facts: Facts,
    turns: Sequence[Turn] = (),
    region: str = "",
) -> Iterator[Event]:
    """Answer a question about a result, streaming; in the language of the question, or the one that it asks for.

    A message about self-harm or danger gets a fixed text, alone or before the answer (``safety``). With a model that
    was trained for this copilot, code states the facts, and the model chooses among reviewed texts. Any other model
    reads the facts and answers freely, and each of its sentences is checked before it is shown.

    Args:
        engine: the language model.
        opening: the result's messages and its raw answer.
        question: what the person typed.
        facts: about the result, as the record states them now.
        turns: earlier ones, the last at the end.
        region: country code of the user, for help lines; empty if unknown.

    Raises:
        EngineError: the model cannot answer, or the question is longer than ``MAX_QUESTION``.
    """
    # 1. Words of danger
    found = find_help(question, region)
    if found:
        yield FixedText(found.text if found.certain else f"{found.text}\n\n")
        if found.certain:
            yield Answered()
            return
    if len(question) > MAX_QUESTION:
        raise EngineError(N_(shared_messages.QUESTION_TOO_LONG, length=len(question), most=MAX_QUESTION))

    # 2. What is asked, and in which language
    before = turns[-1].asked if turns else ()
    understood = understand(question, before)
    language = next((LANGUAGES[one.intent] for one in understood if one.intent in LANGUAGES), detect_language(question))
    asked = tuple(_resolve(understood, before, facts))
    translate = Translator(language)

    # 3. The answer
    if engine.info.trained_for_eeg or found:
        used = yield from _answer_from_facts(engine, opening, asked, facts, translate, BESIDE_HELP if found else "")
    else:
        used = yield from _answer_freely(engine, question, asked, facts, turns, translate)
    outside = [one for one in asked if one.intent == OUTSIDE]
    offered: Sequence[str] = suggest_questions(asked[-1], facts)
    if outside:
        offered = EXAMPLES if outside[0].sure else find_nearest(outside[0].text)
    yield Answered(asked, used, tuple(nearest_questions(offered, translate)), language)


def _resolve(understood: Sequence[Asked], before: Sequence[Asked], facts: Facts) -> Iterator[Asked]:
    """Yield what is asked, with what the turn before asked in place of "again", "more" or another language."""
    for one in understood:
        if one.intent not in ABOUT_ANSWER:
            yield one
        elif not before:
            yield replace(one, intent="language" if one.intent in LANGUAGES else "everything")
        elif one.intent == "more":
            yield from (replace(one, intent=intent, slots={}) for intent in suggest_questions(before[-1], facts)[:2])
        else:
            yield from before


def _answer_from_facts(
    engine: Engine,
    opening: Sequence[Message],
    asked: Sequence[Asked],
    facts: Facts,
    translate: Translator,
    otherwise: str,
) -> Generator[Event, None, tuple[Fact, ...]]:
    """State the facts that are asked for, and reviewed texts; return the facts.

    Arguments are as of ``ask``, and what to say where nothing is understood; empty for the usual.
    """
    used: dict[str, Fact] = {}
    told = set[str]()
    if any(one.intent != OUTSIDE and not one.sure for one in asked):
        yield FixedText(f"{translate(EITHER)}\n\n")
    for place, one in enumerate(asked):
        if one.intent == OUTSIDE:
            yield FixedText(translate(otherwise or (NOT_ABOUT if one.sure else NOT_UNDERSTOOD)))
            continue
        reply = find_reply(one, facts)
        stated = [sentence for fact in reply.facts if (sentence := translate(fact.sentence)) not in told]
        told |= set(stated)
        used |= {fact.key: fact for fact in reply.facts}
        if not stated and not reply.choices:  # another part of the question was answered with the same facts
            continue
        if place:
            yield FixedText("\n\n")
        if reply.choices:
            chosen = yield from _choose_text(engine, opening, one, [choice["en"] for choice in reply.choices])
            stated.append(next(choice[translate.language] for choice in reply.choices if choice["en"] == chosen))
        yield FixedText(translate.join(stated))
    return tuple(used.values())


def _choose_text(
    engine: Engine, opening: Sequence[Message], asked: Asked, texts: Sequence[str]
) -> Generator[Event, None, str]:
    """Let the model choose one of several reviewed texts in English, and return it.

    It reads the typical question in English: how somebody asks does not matter for the choice.
    """
    if len(texts) == 1:
        return texts[0]
    (typical,) = nearest_questions([asked.intent], Translator("en"))
    question: Message = {"role": "user", "content": prompt.format_question(typical, opening[-1]["content"])}
    chosen = ""
    for event in engine.generate([*opening, question], choices=texts):
        if isinstance(event, Token):
            chosen += event.text
        elif not isinstance(event, CutOff):
            yield event
    return chosen


def _answer_freely(
    engine: Engine,
    question: str,
    asked: Sequence[Asked],
    facts: Facts,
    turns: Sequence[Turn],
    translate: Translator,
) -> Generator[Event, None, tuple[Fact, ...]]:
    """Let a model that was not trained here answer, and check each sentence; return the facts that were asked for."""
    system: Message = {"role": "system", "content": f"{prompt.SYSTEM}\n\n{format_facts(facts)}"}
    new: Message = {"role": "user", "content": prompt.replace_control_characters(question)}
    earlier: list[Message] = []
    for turn in turns[-MAX_TURNS:]:
        earlier += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
    try:
        yield from _generate_checked(engine, [system, *earlier, new], facts, translate)
    except ContextError:
        yield from _generate_checked(engine, [system, new], facts, translate)
    return tuple({fact.key: fact for one in asked for fact in find_reply(one, facts).facts}.values())


def _generate_checked(
    engine: Engine, messages: Sequence[Message], facts: Facts, translate: Translator
) -> Generator[Event, None, None]:
    """Yield a model's answer sentence by sentence, with the facts' own in place of those that they do not support."""
    events, first = engine.generate(messages, max_tokens=300), ""
    for event in events:
        if isinstance(event, Token):
            first = event.text
            break
        if not isinstance(event, CutOff):
            yield event

    def read_tokens() -> Iterator[str]:
        yield first
        for event in events:
            if isinstance(event, Token):
                yield event.text
            elif isinstance(event, CutOff):
                yield " …"

    for checked in check_answer(read_tokens(), facts, translate):
        if checked.text:  # of facts that were stated already nothing is left
            yield (FactText if checked.replaced else Token)(checked.text)
