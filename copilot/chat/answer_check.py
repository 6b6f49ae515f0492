"""Check what a language model answers in the chat against the facts, sentence by sentence (see ``check_answer``).

A sentence is shown as it is only if no claim in it needs a fact that is not there: numbers, emotions, confidence,
states, rhythms, electrodes and quality must be those of the facts; diagnoses, changes of medication, claims to be a
doctor or a device, links and markup are never shown. Where a rule is in doubt the facts' own sentence is shown: that
costs a true sentence, never a false one. The words are in ``answer_check.toml``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from copilot.chat.answer_numbers import Number, find_numbers
from copilot.chat.answer_text import (
    ENDED,
    LONGEST_SENTENCE,
    Clause,
    is_negated,
    is_negated_after,
    is_readable,
    load_words,
    normalise,
    pattern,
    search,
    split_clauses,
    split_sentences,
)
from copilot.eeg.features import BANDS_HZ
from copilot.emotions import CLASS_OF, EMOTIONS, THREE_CLASSES
from copilot.facts import Fact, Facts
from copilot.facts.signal import HIGHER_Z
from copilot.i18n import Translator
from copilot.prompt import FACT_INSTRUCTIONS, replace_control_characters

#: Facts that stand in the place of one sentence.
MOST_FACTS = 2

MARKUP = re.compile(
    r"https?:|www\.|\w\.(?:com|org|net|io|cn|html?)\b|</?\w|<\||\|>|!?\[[^\]\n]{0,200}\]\(|\[/?(?:inst|sys)|&\w{2,8};"
    r"|```|<<|javascript:|\S@\w+\.\w|[\ue000-\uf8ff\ufffd]|[\ufe0f\U0001f600-\U0001f64f]",
    re.I,
)
ELECTRODE = re.compile(
    r"(?<![a-z0-9])(?:fp[1z2]|af[3478z]|fc[1-6z]|ft[789]|f[1-9z]|t[3-9]|cp[1-6z]|c[1-6z]|po[3-8z]|p[1-9z]|o[12z])(?![a-z0-9])"
)
#: Facts that can have numbers of a unit.
OF_UNIT = {
    "Hz": ("mains", "rate"),
    "s": ("usable_seconds", "timing", "length"),
    "z": ("band.",),
    "count": ("bad_channels", "channels", "removed"),
}
#: Facts that hold what somebody typed.
TYPED = ("person", "notes", "model", "storage")
#: Characters of ``format_facts``, about 900 tokens.
LONGEST_BLOCK = 3600
#: Beginnings of keys, the most important first.
IMPORTANT = (
    *("emotion", "order", "confidence", "meaning", "situation", "reliability", "states", "quality", "why"),
    *(
        "three_class",
        "usable_seconds",
        "bad_channels",
        "rhythm",
        "purpose",
        "words",
        "better",
        "compared_with",
        "person",
    ),
)
#: Facts whose numbers ``order`` holds too.
REPEATED = ("probability.", "rank.")


@dataclass(frozen=True)
class Checked:
    """A sentence as it may be shown, and whether the facts' own sentence stands in its place."""

    text: str
    replaced: bool


def check_answer(tokens: Iterable[str], facts: Facts, translate: Translator) -> Iterator[Checked]:
    """Yield the sentences of a streamed answer as they may be shown, each as soon as it is complete.

    The same fact is put in the place of a sentence once: where all were shown already, the text is empty. A sentence
    that a new line cuts is checked together with its beginning too.
    """
    shown: set[str] = set()
    opened = ""
    for sentence in split_sentences(tokens):
        keys = find_unsupported(sentence, facts, translate)
        if not keys and opened:
            keys = find_unsupported(f"{opened.strip()} {sentence.strip()}", facts, translate)
        opened = "" if keys or ENDED.search(sentence) else sentence[-LONGEST_SENTENCE // 2 :]
        if not keys:
            yield Checked(sentence, False)
            continue
        new = [key for key in _choose_facts(keys, facts) if key not in shown]
        shown.update(new)
        yield _replace(sentence, new, facts, translate)


def check_sentence(sentence: str, facts: Facts, translate: Translator) -> Checked:
    """Return a sentence as it may be shown: as it is, or the facts' own sentences about what it claims.

    Takes time in proportion to the length.

    Args:
        sentence: as the model wrote it; white space before it is kept.
        facts: of this reading.
        translate: into the reader's language.
    """
    keys = find_unsupported(sentence, facts, translate)
    return _replace(sentence, _choose_facts(keys, facts), facts, translate) if keys else Checked(sentence, False)


def _choose_facts(keys: list[str], facts: Facts) -> list[str]:
    """Return the keys of the facts that are shown instead: at most ``MOST_FACTS``, the first fact if there is none."""
    known = ("three_class" if key.startswith("class.") else key for key in dict.fromkeys(keys))
    present = [key for key in known if key in facts]
    return (present or list(facts)[:1])[:MOST_FACTS]


def _replace(sentence: str, keys: list[str], facts: Facts, translate: Translator) -> Checked:
    """Return facts in the place of a sentence, with the white space before it; an empty text without facts."""
    space = sentence[: len(sentence) - len(sentence.lstrip())]
    between = " " if translate.language == "en" else ""
    return Checked(space + between.join(translate(facts[key].sentence) for key in keys) if keys else "", True)


def find_unsupported(sentence: str, facts: Facts, translate: Translator) -> list[str]:
    """Return the keys of the facts that a sentence contradicts or goes beyond, the first claim's first.

    Empty for a sentence that may be shown: one without such a claim, or a fact's own sentence.
    """
    if len(sentence) > LONGEST_SENTENCE:
        parts = split_sentences([sentence, "\n"])
        return [key for part in parts for key in find_unsupported(part, facts, translate)]
    if MARKUP.search(sentence):
        return ["purpose"]
    text = normalise(sentence)
    if not is_readable(text):
        return ["emotion"]
    found = [key for keys in check_clauses(split_clauses(text), facts) for key in keys]
    return [] if found and _is_own_sentence(text, facts, translate) else found


def _is_own_sentence(text: str, facts: Facts, translate: Translator) -> bool:
    """Return whether a normalised sentence is a fact's, in English or the reader's language."""
    own = ((fact.key, said) for fact in facts.values() for said in {str(fact.sentence), translate(fact.sentence)})
    return any(text in _normalise_parts(said, key in TYPED) for key, said in own)


@lru_cache(1024)
def _normalise_parts(said: str, whole: bool) -> frozenset[str]:
    """Return a fact's text and, unless only the ``whole`` counts, each of its sentences, normalised."""
    return frozenset(map(normalise, (said, *([] if whole else split_sentences([said])))))


def check_clauses(clauses: list[Clause], facts: Facts) -> Iterator[list[str]]:
    """Yield for each clause the keys of the facts that it contradicts or goes beyond, empty if it may be shown.

    A clause about this reading or this person must say something that the facts say: what no rule knows is refused.
    """
    emotions, numbers = _check_emotions(clauses, facts), _check_numbers(clauses, facts)
    after = False  # whether the clause goes on with what the one before said of this reading
    for place, clause in enumerate(clauses):
        claims = [emotions[place], _check_values(clause, facts), _check_brain(clause, facts), numbers[place]]
        refused = [*_check_never(clause), *(key for keys in claims for key in keys or ())]
        after = not clause.exempt and (clause.specific or (after and not clause.has_subject))
        if not refused and after and all(keys is None for keys in claims) and not search("allowed", clause.text):
            refused = [*_find_topics(clause.text, facts), "meaning"]
        yield refused


def _check_never(clause: Clause) -> list[str]:
    """Find claims that no fact can support; a change of medication is one unless a doctor is asked about it."""
    if search("drug", clause.text) and search("change", clause.text) and not search("with_doctor", clause.text):
        return ["purpose"]
    for kind, rule in load_words()["never"].items():
        for match in pattern("never", kind).finditer(clause.text):
            denied = rule["denied"] == "allowed" and is_negated(clause.text[: match.start()])
            exempt = {"any": clause.exempt, "hedge": clause.hedge, "none": False}[rule.get("exempt", "any")]
            if not denied and not exempt and (clause.specific or kind != "not_measured"):
                return list(rule["facts"])
    return []


def _check_values(clause: Clause, facts: Facts) -> list[str] | None:
    """Find another value of a fact with few values, such as whether the eyes were open; None without such a claim."""
    found: list[str] | None = None
    for key, values in load_words()["values"].items():
        for value in values:
            match = None if clause.exempt else pattern("values", key, value).search(clause.text)
            if match:
                wrong = is_negated(clause.text[: match.start()]) == (_read_value(facts, key) == value)
                found = (found or []) + ([key, "states"] if wrong else [])
    return found


def _read_value(facts: Facts, key: str) -> str | None:
    """Return a fact's value as in ``values`` of the words; None where there is no such fact."""
    value = facts[key].value if key in facts else None
    if isinstance(value, str) or key not in facts:
        return value if isinstance(value, str) else None
    return "some" if value else "none"


def _check_brain(clause: Clause, facts: Facts) -> list[str] | None:
    """Find electrodes, regions and bands that the facts do not speak of so; None where the clause names none."""
    text = clause.text
    electrodes = ELECTRODE.findall(text)
    regions = [name for name in load_words()["brain"]["regions"] if search("brain", "regions", name, text)]
    bands = [name for name in load_words()["brain"]["bands"] if search("brain", "bands", name, text)]
    if not (electrodes or regions or bands) or clause.exempt:
        return None
    if electrodes:
        faulty = search("brain", "fault", text)
        keys = ("bad_channels", "channels.absent", "channels.estimated") if faulty else ("channels",)
        values = [facts[key].value for key in keys if key in facts]
        known = {name.lower() for value in values if isinstance(value, tuple) for name in value}
        bad = {key.removeprefix("bad.").lower() for key in facts if key.startswith("bad.")}
        active = search("brain", "high", text) or search("brain", "low", text) or search("brain", "activity", text)
        fine = not active and {*electrodes} <= (known | bad if faulty else known - bad) and not is_negated(text)
        return [] if fine and not (regions or bands) and not _any_emotion(text) else ["bad_channels", "where"]
    directions = [name for name in ("high", "low") if search("brain", name, text)]
    measured = [
        fact.value
        for region in (regions or load_words()["brain"]["regions"])
        for band in (bands or BANDS_HZ)
        for fact in facts.with_prefix(f"band.{region}.{band}")
        if isinstance(fact.value, float | int)
    ]
    limit = {"high": lambda z: z >= HIGHER_Z, "low": lambda z: z <= -HIGHER_Z}
    if len(directions) == 1 and bands and not is_negated(text) and not _any_emotion(text):
        check = any if not regions else all
        if measured and check(limit[directions[0]](z) for z in measured):
            return []
    return ["rhythm", "where"] if clause.specific or directions or regions else None


def _any_emotion(text: str) -> bool:
    """Return whether a text names one of the nine emotions."""
    return any(search("emotions", name, text) for name in EMOTIONS)


def _rank_emotions(facts: Facts) -> list[str]:
    """Return the emotions by their probability, the most likely first; empty where the facts hold none."""
    shares = {name: facts[key].value for name in EMOTIONS if (key := f"probability.{name}") in facts}
    numbers = {name: float(value) for name, value in shares.items() if isinstance(value, float | int)}
    return sorted(numbers, key=lambda name: -numbers[name])


def _find_ranks(text: str) -> list[int]:
    """Return the places that a clause names, 1 to 9; "second most likely" is only the second."""
    ranks = [int(rank) for rank in load_words()["ranks"] if search("ranks", rank, text)]
    return ranks[1:] if len(ranks) > 1 and ranks[0] == 1 else ranks


def _find_emotions(text: str) -> list[tuple[str, re.Match[str]]]:
    """Return the emotions that a text names, in order; of overlapping ones the longest ("not happy" is no joy)."""
    matches = [(name, match) for name in EMOTIONS for match in pattern("emotions", name).finditer(text)]
    matches.sort(key=lambda found: (found[1].start(), -found[1].end()))
    kept: list[tuple[str, re.Match[str]]] = []
    for name, match in matches:
        if not kept or match.start() >= kept[-1][1].end():
            kept.append((name, match))
    return kept


def _check_emotions(clauses: list[Clause], facts: Facts) -> list[list[str] | None]:
    """Find emotions that are not claimed as the facts do; for each clause, None where it claims none."""
    found: list[list[str] | None] = []
    negated = False
    for clause in clauses:
        named = _find_emotions(clause.text)
        wrong: list[str] = []
        for place, (name, match) in enumerate(named):
            before = clause.text[named[place - 1][1].end() if place else 0 : match.start()]
            after = clause.text[match.end() : named[place + 1][1].start() if place + 1 < len(named) else None]
            goes_on = (place or found) and re.fullmatch(r"\s*(?:or|nor|and|/|&|或者?|和|及)?\s*(?:of )?", before)
            negated = negated if goes_on else is_negated(before) != is_negated_after(after)
            if not _is_supported(name, negated, before, named, clause.text, facts):
                wrong += ["emotion", f"probability.{name}"]
        found.append(wrong if named and not clause.exempt else None)
    return found


def _is_supported(
    name: str, negated: bool, before: str, named: list[tuple[str, re.Match[str]]], text: str, facts: Facts
) -> bool:
    """Return whether the facts say what a clause says of one emotion.

    Args:
        name: the emotion; negated: whether it is denied; before: the words before it.
        named: all emotions of the clause; text: the clause.
        facts: of this reading.
    """
    top, ranking = facts["emotion"].value if "emotion" in facts else "none", _rank_emotions(facts)
    if top == "none" or name not in ranking:
        return False
    if len(named) > 1 and search("than", text):
        return _compare(named, text, ranking)
    if negated:
        return name != top
    if ranks := _find_ranks(text):
        return all(ranking[rank - 1] == name for rank in ranks)
    if name == top:  # that it is felt, or strong, is not known
        felt = search("feeling", text) and not search("maybe", text)
        return not felt and not search("intensity", " ".join(before.split()[-2:])[-40:])
    return any(number.unit == "percent" for number in find_numbers(text))  # which is checked too


def _compare(named: list[tuple[str, re.Match[str]]], text: str, ranking: list[str]) -> bool:
    """Return whether "A is more (less) likely than B" has the order of the probabilities."""
    (first, _), (second, _) = named[:2]
    more, less = search("more", text), search("less", text)
    if len(named) > 2 or (more is None) == (less is None) or is_negated(text):
        return False
    return (ranking.index(first) < ranking.index(second)) == (more is not None)


def _check_numbers(clauses: list[Clause], facts: Facts) -> list[list[str] | None]:
    """Find numbers that are not those of what the clause, or else its neighbour, speaks of; None without numbers."""
    found: list[list[str] | None] = []
    topics = [_find_topics(clause.text, facts) for clause in clauses]
    for place, clause in enumerate(clauses):
        numbers = [number for number in find_numbers(clause.text) if not _is_harmless_number(number, clause)]
        near = [topics[place], *reversed(topics[max(0, place - 3) : place]), *topics[place + 1 : place + 2]]
        wrong: list[str] = []
        for number in numbers:
            keys = next(
                (fit for keys in near if (fit := _select_keys(keys, number.unit))), _find_default(number, facts)
            )
            if not any(_fits(number, key, facts) for key in keys):
                wrong += [*keys, "emotion"]
        found.append(wrong if numbers else None)
    return found


def _select_keys(keys: list[str], unit: str) -> list[str]:
    """Return those of some facts that can have numbers of a unit."""
    if unit == "times":
        return ["confidence"] if "chance_level" in keys else [key for key in keys if key == "mains"]
    if unit in OF_UNIT:
        return [key for key in keys if key.startswith(OF_UNIT[unit])][: 1 if unit != "z" else None]
    return [key for key in keys if key.startswith(("probability.", "class.", "chance_level"))] or keys[:1]


def _is_harmless_number(number: Number, clause: Clause) -> bool:
    """Return whether a number says nothing about the reading: in advice or a general explanation."""
    if number.unit in ("", "other") and number.amount == len(EMOTIONS) and re.search("emotion|情绪", clause.text):
        return True
    if clause.specific and not clause.exempt:
        return False
    band = number.unit == "Hz" and any(search("brain", "bands", name, clause.text) for name in BANDS_HZ)
    year = number.unit == "" and 1800 < number.amount < 2100
    return band or (
        clause.exempt and (year or number.unit == "s" or (number.unit in ("other", "") and abs(number.amount) < 100))
    )


def _find_topics(text: str, facts: Facts) -> list[str]:
    """Return the keys of the facts that a clause speaks of, the narrowest first."""
    ranking = _rank_emotions(facts)
    names = [name for name, _ in _find_emotions(text)]
    if not names:
        names = [ranking[rank - 1] for rank in _find_ranks(text) if rank <= len(ranking)]
    keys = [f"probability.{name}" for name in names]
    keys += [f"class.{name}" for name in THREE_CLASSES if name != "neutral" and search("classes", name, text)]
    bands = [name for name in BANDS_HZ if search("brain", "bands", name, text)]
    keys += [fact.key for band in bands for fact in facts.with_prefix("band.") if fact.key.endswith(band)]
    return keys + [key for key in load_words()["numbers"] if search("numbers", key, text)]


def _find_default(number: Number, facts: Facts) -> list[str]:
    """Return what a number is of where nothing says it: a percentage is the first emotion's."""
    ranking = _rank_emotions(facts)
    return [f"probability.{ranking[0]}"] if number.unit == "percent" and ranking else []


def _fits(number: Number, key: str, facts: Facts) -> bool:
    """Return whether a number is one of a fact's, within the rounding of its digits."""
    chance = Number(100 / len(EMOTIONS), "percent", 0, 0, 0)
    if key == "chance_level":
        return _equals(number, chance)
    if key.startswith("class."):
        shares = {name: facts[f"probability.{name}"].value for name in _rank_emotions(facts)}
        of_class = [shares.get(n) for n, c in zip(EMOTIONS, CLASS_OF, strict=True) if key.endswith(THREE_CLASSES[c])]
        total = sum(100 * share for share in of_class if isinstance(share, float | int))
        return _equals(number, Number(total, "percent", 0, 0, 0))
    fact = facts.get(key)
    if fact is None:
        return False
    numbers = _list_numbers(fact)
    return any(_equals(number, own) for own in numbers if key == "confidence" or not _equals(own, chance))


def _list_numbers(fact: Fact) -> list[Number]:
    """Return the numbers of a fact: its value, and those of its sentence unless it is one probability."""
    value = fact.value
    amount = len(value) if isinstance(value, tuple) else value
    own = []
    if isinstance(amount, float | int):
        share = fact.unit == "share"
        own = [Number(100 * amount if share else amount, "percent" if share else fact.unit, 0, 0, 0)]
    return own if fact.unit == "share" else own + find_numbers(normalise(str(fact.sentence)))


def _equals(stated: Number, own: Number) -> bool:
    """Return whether a stated number is a fact's number; a bare one may be a share, or lack its unit."""
    amount, tolerance = stated.amount, stated.tolerance
    if own.unit == "percent" and stated.unit == "" and amount <= 1:
        amount, tolerance = 100 * amount, 100 * tolerance
    same = stated.unit == own.unit or not stated.unit or (not own.unit and stated.unit not in ("percent", "times"))
    return same and abs(amount - own.amount) <= tolerance + 1e-9


def format_facts(facts: Facts) -> str:
    """Return the facts for a model's system prompt: instructions, then one English line for each fact.

    The most important come first, and what exceeds ``LONGEST_BLOCK`` is left out. Nothing in a fact can end its line
    or form a control token.
    """
    lines, length = [FACT_INSTRUCTIONS], len(FACT_INSTRUCTIONS)
    told = (fact for fact in facts.values() if not fact.key.startswith(REPEATED))
    for fact in sorted(told, key=lambda fact: _rate_importance(fact.key)):
        line = f"- {replace_control_characters(str(fact.sentence))[:LONGEST_SENTENCE]}"
        length += len(line) + 1
        if length > LONGEST_BLOCK:
            break
        lines.append(line)
    return "\n".join(lines)


def _rate_importance(key: str) -> int:
    """Return a fact's place in ``IMPORTANT``, its end for others."""
    return next((place for place, prefix in enumerate(IMPORTANT) if key.startswith(prefix)), len(IMPORTANT))
