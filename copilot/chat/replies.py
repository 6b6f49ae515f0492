"""Find what answers a question to the chat: facts of the reading, or reviewed texts (``topics.toml``)."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Protocol

from copilot.eeg.features import BANDS_HZ
from copilot.eeg.states import REGIONS
from copilot.emotions import EMOTIONS
from copilot.facts import Fact, Facts
from copilot.facts.emotion import MEANS
from copilot.facts.signal import BANDS_MEAN, WHERE, name_level
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.text import percent

TOPICS = Path(__file__).with_name("topics.toml")

#: Facts that answer an intent, in the order of the answer; ``find_facts`` has the intents with rules of their own. A
#: name that ends in a dot means all facts below it.
ANSWERED_BY = {
    "least": ("rank.9",),
    "order": ("order",),
    "confidence": ("confidence", "reliability"),
    "situation": ("situation",),
    "three_class": ("three_class",),
    "valence": ("valence", "valence.meaning"),
    "states": ("states",),
    "quality": ("quality", "usable_seconds", "bad_channels"),
    "usable_seconds": ("usable_seconds",),
    "length": ("length", "usable_seconds"),
    "rate": ("rate",),
    "mains": ("mains",),
    "removed": ("removed", "mains"),
    "absent_channels": ("channels.absent", "channels.estimated"),
    "rhythm": ("rhythm",),
    "where": ("where", "rhythm"),
    "words": ("words",),
    "person": ("person", "words"),
    "model": ("model",),
    "encoding": ("encoding",),
    "prompt": ("prompt", "model.file"),
    "timing": ("timing",),
    "storage": ("storage",),
    "purpose": ("purpose",),
    "notes": ("notes",),
    "diagnosis": ("purpose",),
    "enough_channels": ("channels",),
    "errors": ("quality",),
    "earlier": ("compared_with",),
    "text_by": ("model",),
}

STATES = {"eyes": "state.eyes", "effort": "state.effort", "sleep": "state.sleep"}

#: An intent is only suggested if this fact has a value: otherwise there is nothing to tell.
TELLING = STATES | {
    "bad_channels": "bad_channels",
    "absent_channels": "channels.absent",
    "mains": "mains",
    "removed": "removed",
    "rhythm": "rhythm",
    "band": "rhythm",
    "where": "rhythm",
    "order": "order",
    "rank": "order",
    "least": "order",
    "probability": "order",
    "compare": "order",
    "notes": "notes",
}

SUGGESTED = 3
#: Suggested where too few questions fit better.
ALWAYS = ("everything", "advice", "how_it_works", "capabilities")


class Asked(Protocol):
    """What is read of a question that was understood."""

    @property
    def intent(self) -> str:
        """Return the name of a topic, or another word where none was understood."""
        ...

    @property
    def slots(self) -> Mapping[str, str]:
        """Return what the question names: ``emotion``, ``emotion2``, ``rank``, ``band``, ``region``, ``electrode``."""
        ...


@dataclass(frozen=True)
class Topic:
    """What the chat can be asked.

    Attributes:
        question: a typical question, by language.
        next: intents that fit afterwards, the best first.
        texts: reviewed answers, each by language; empty where facts answer.
    """

    question: Mapping[str, str]
    next: tuple[str, ...]
    texts: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Reply:
    """What answers a question.

    Attributes:
        facts: their sentences are the answer, in this order.
        choices: reviewed texts by language, of which one explains or advises; empty for none.
    """

    facts: tuple[Fact, ...] = ()
    choices: tuple[Mapping[str, str], ...] = ()


@cache
def read_topics() -> Mapping[str, Topic]:
    """Return what the chat can be asked, by the name of the intent."""
    stored = tomllib.loads(TOPICS.read_text(encoding="utf-8"))
    return {
        intent: Topic(entry["question"], tuple(entry["next"]), tuple(entry.get("texts", ())))
        for intent, entry in stored.items()
    }


def find_reply(asked: Asked, facts: Facts) -> Reply:
    """Return what answers a question; nothing where its intent is none of ``read_topics``.

    A sentence that several facts share is told once.
    """
    topic = read_topics().get(asked.intent)
    if topic is None:
        return Reply()
    told = {fact.sentence: fact for fact in reversed(list(find_facts(asked.intent, asked.slots, facts)))}
    texts = () if told and asked.intent in ("what_are_bands", "simple") else topic.texts
    return Reply(tuple(reversed(told.values())), texts)


def find_facts(intent: str, slots: Mapping[str, str], facts: Facts) -> Iterator[Fact]:
    """Yield the facts that answer a question, in the order of the answer.

    Where a question lacks the emotion, rank or band that it is about, the answer is about all of them.
    """
    named = facts["emotion"].value != "none"
    result = ("emotion", "reliability") if named else ("why",)
    named_emotions = [slots[name] for name in ("emotion", "emotion2") if slots.get(name) in EMOTIONS]
    named_bands = [slots[name] for name in ("band", "band2") if slots.get(name) in BANDS_HZ]
    ranks = [facts[f"rank.{slots[name]}"] for name in ("rank", "rank2") if f"rank.{slots.get(name)}" in facts]
    if intent == "compare" and len(ranks) == 1 and "emotion" not in slots:
        ranks = [facts["rank.1"], *ranks]
    if len(ranks) == 2 and intent in ("rank", "compare") and all(rank.value for rank in ranks):
        yield from (*ranks, *compare(facts, *(str(rank.value) for rank in ranks)))
        return
    match intent:
        case "emotion" | "disagree":
            yield from _take(facts, *result)
        case "everything":
            yield from _take(facts, *result, "states", "quality", "better")
        case "why":
            if named_emotions:
                yield from _take(facts, f"probability.{named_emotions[0]}", "rank.1")
            yield from _take(facts, "why", *(("compared_with",) if named else ()))
        case "meaning" | "normal" if named_bands:
            yield from find_facts("band", slots, facts)
            yield from find_facts("what_are_bands", slots, facts)
        case "normal":
            yield from _take(facts, *(f"probability.{name}" for name in named_emotions))
        case "meaning":
            yield from _take(facts, "meaning", *(("confidence.meaning",) if named else ()))
        case "better":
            yield from _take(facts, "better", *(name for name in ("bad_channels", "mains") if facts[name].value))
        case "compared_with":
            yield from _take(facts, "compared_with")
            if named_bands:
                yield from find_facts("band", slots, facts)
        case "what_are_bands" | "simple":
            yield from (Fact(f"meaning.{band}", None, "", BANDS_MEAN[band]) for band in named_bands)
        case "what_is_emotion":
            yield from (Fact(f"meaning.{name}", None, "", MEANS[name]) for name in named_emotions)
        case "channels":
            estimated = ("channels.estimated",) if facts["channels.estimated"].value else ()
            yield from _take(facts, "channels", "channels.absent", *estimated)
        case "rank":
            yield ranks[0] if ranks else facts["order"]
        case "probability" | "compare":
            if len(set(named_emotions)) == 2:
                yield from compare(facts, *named_emotions)
            yield from _take(facts, *([f"probability.{name}" for name in named_emotions] or ["order"]))
        case "reliability":
            told = (key for key in STATES.values() if facts[key].value not in (None, "unclear"))
            yield from _take(facts, "reliability", *(f"{key}.reliability" for key in told))
        case "eyes" | "effort" | "sleep" as state:
            key = STATES[state]
            yield from _take(facts, key, *([] if facts[key].value in (None, "unclear") else [f"{key}.reliability"]))
        case "bad_channels":
            one = f"bad.{slots.get('electrode')}"
            yield from [facts[one]] if one in facts else _take(facts, "bad_channels", "bad.")
        case "band":
            regions = [slots[name] for name in ("region", "region2") if slots.get(name) in REGIONS]
            together = zip if len(regions) == len(named_bands) else product  # "frontal theta and parietal alpha"
            for region, band in together(regions, named_bands):
                yield facts[f"band.{region}.{band}"]
            if not regions:
                for band in named_bands:
                    yield from describe_band(facts, band)
            if not named_bands:
                yield facts["rhythm"]
        case _:
            yield from _take(facts, *ANSWERED_BY.get(intent, ()))


def compare(facts: Facts, first: str, second: str) -> Iterator[Fact]:
    """Yield which of two emotions is more likely, by the digits that are shown; nothing if one has no number."""
    values = {name: facts[f"probability.{name}"].value for name in (first, second)}
    shares = {name: value for name, value in values.items() if isinstance(value, float)}
    if len(shares) < len(values):  # a clinician wrote something else
        return
    less, more = sorted(shares, key=shares.__getitem__)
    found, said = more, N_("By these probabilities {more} is more likely than {less}.")
    if percent(shares[less]) == percent(shares[more]):
        found, said = "equal", N_("By these probabilities {more} and {less} are equally likely.")
    said = N_(said, more=term("emotion", more), less=term("emotion", less))
    yield Fact(f"compare.{first}.{second}", found, "", said)


def describe_band(facts: Facts, band: str) -> Iterator[Fact]:
    """Yield how strong a band was, region by region in one sentence, and what it was compared with."""
    values = {region: facts[f"band.{region}.{band}"].value for region in REGIONS}
    compared = {region: value for region, value in values.items() if isinstance(value, float)}
    if not compared:
        yield facts["rhythm"]
        return
    listed = tuple(
        N_("{level} {where} ({z:+.1f})", level=name_level(z), where=WHERE[region], z=z)
        for region, z in compared.items()
    )
    said = N_(
        "{band}, in standard deviations from what it is compared with: {listed}.",
        band=messages.BANDS[band],
        listed=listed,
    )
    yield Fact(f"band.{band}", None, "z", said)
    yield from _take(facts, "compared_with")


def nearest_questions(intents: Iterable[str], translate: Translator) -> list[str]:
    """Return a typical question for each intent, in the translator's language; for buttons."""
    return [read_topics()[intent].question[translate.language] for intent in intents]


def suggest_questions(asked: Asked, facts: Facts) -> tuple[str, ...]:
    """Return the intents of three questions that fit next, for ``nearest_questions``.

    What this reading has nothing to tell about is left out.
    """
    return list_next(asked.intent, facts)[:SUGGESTED]


def list_next(intent: str, facts: Facts) -> tuple[str, ...]:
    """Return intents that fit after another one, the best first, without those that there is nothing to tell about."""
    topic = read_topics().get(intent)
    fitting = dict.fromkeys((*(topic.next if topic else ()), *ALWAYS))
    return tuple(one for one in fitting if one != intent and (one not in TELLING or facts[TELLING[one]].value))


def _take(facts: Facts, *names: str) -> Iterator[Fact]:
    """Yield the facts of these names, in order; a name that ends in a dot means all facts below it."""
    for name in names:
        yield from facts.with_prefix(name) if name.endswith(".") else (facts[name],)
