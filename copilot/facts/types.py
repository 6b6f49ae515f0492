"""Define ``Fact`` and ``Facts``."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from copilot.i18n import N_, Message, Translator
from copilot.record.model import WRITTEN, Field, Record

#: For each field of the record: the facts that state the same; a name that ends in a dot means all facts below it.
STATED_IN = {
    "seconds": ("length",),
    "rate_read": ("rate",),
    "sfreq": ("rate",),
    "electrodes": ("channels",),
    "trust": ("quality",),
    "clean": ("usable_seconds",),
    "mains": ("mains",),
    "bad_channels": ("bad_channels", "bad."),
    "removed": ("removed",),
    "sleep": ("state.sleep",),
    "eyes": ("state.eyes",),
    "effort": ("state.effort",),
    "emotion": ("emotion", "confidence", "why", "meaning"),
    "probabilities": ("probability.", "rank.", "order"),
    "three_class": ("three_class",),
    "valence": ("valence",),
    "reliability": ("reliability",),
}


@dataclass(frozen=True)
class Fact:
    """One true statement.

    Attributes:
        key: such as ``probability.anger``.
        value: to compute with; None where there is none.
        unit: of the value, such as ``share``, ``s``, ``Hz`` or ``z``; may be empty.
        sentence: true and whole by itself.
    """

    key: str
    value: float | int | str | tuple[str, ...] | None
    unit: str
    sentence: Message


class Facts(Mapping[str, Fact]):
    """Facts by their key, in their order."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts = {fact.key: fact for fact in facts}

    def __getitem__(self, key: str) -> Fact:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def with_prefix(self, prefix: str) -> tuple[Fact, ...]:
        """Return the facts whose keys begin with ``prefix``, in order."""
        return tuple(fact for key, fact in self._facts.items() if key.startswith(prefix))

    def to_json(self, translate: Translator) -> list[dict[str, Any]]:
        """Return the facts as plain JSON types, their sentences in one language."""
        return [
            {
                "key": fact.key,
                "value": list(fact.value) if isinstance(fact.value, tuple) else fact.value,
                "unit": fact.unit,
                "sentence": translate(fact.sentence),
            }
            for fact in self._facts.values()
        ]

    def correct(self, record: Record) -> "Facts":
        """Return a copy that states the record's text wherever a clinician edited or deleted a field."""
        corrected = dict(self._facts)
        for field in record.fields:
            if field.origin.kind != WRITTEN:
                continue
            for stated in STATED_IN.get(field.key, ()):
                for key in corrected:
                    if key == stated or (stated.endswith(".") and key.startswith(stated)):
                        corrected[key] = Fact(key, field.value or None, "", _describe_correction(field))
                        if stated.startswith("state."):
                            corrected["states"] = Fact("states", None, "", _join_states(corrected))
        return Facts(corrected.values())


def join_sentences(sentences: Iterable[Message]) -> Message:
    """Return sentences, at least one, one after the other."""
    return reduce(lambda first, second: N_("{first} {second}", first=first, second=second), sentences)


def _describe_correction(field: Field) -> Message:
    """Return the sentence about a field that a clinician edited or deleted."""
    if not field.value:
        return N_("Corrected in the record: a clinician deleted what it said under {label}.", label=field.label)
    text = tuple(field.value.splitlines())
    return N_("Corrected in the record by a clinician, under {label}: {text}", label=field.label, text=text)


def _join_states(facts: Mapping[str, Fact]) -> Message:
    """Return what the facts say about each state, one sentence after the other."""
    return join_sentences(facts[f"state.{name}"].sentence for name in ("sleep", "eyes", "effort"))
