"""Understand what a person asks the chat: which of a closed list of intents, and about what (see ``understand``).

Two linear classifiers, one for English and one for Chinese, read the words, characters and their sequences of a
question. ``python -m copilot.training.fit_understanding`` fits them on the questions in
``copilot/training/templates`` and writes ``understanding.npz``. Names such as emotions, and words that are read alike,
are in ``understanding.toml``.
"""

import re
import tomllib
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise, product
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import numpy.typing as npt

from copilot.text import HAN, is_chinese

MODEL, WORDS = (Path(__file__).with_name(f"understanding.{kind}") for kind in ("npz", "toml"))
OUTSIDE = "outside"
#: Characters of a message that are read.
READ = 1000
#: Parts of a message that are understood one by one.
MAX_PARTS = 6
#: How much less probable than the whole the parts of a message may be on average, for each further part.
GAIN = 0.06
#: Probability from which a part of a message counts as a question of its own.
SURE = 0.7
#: Misspelled words of a question that are corrected.
MAX_CORRECTED = 4
#: Letters of a word that is corrected.
LONGEST = 20
#: Words, or Chinese characters, of a follow-up that only names something.
SHORT = 6
#: Intents that only accompany another one in the same message.
SMALL_TALK = ("greeting", "thanks", "compliment", "goodbye")
#: Intents about the answer before: the caller answers the turn before again, in other words or in another language.
ABOUT_ANSWER = ("again", "more", "in_chinese", "in_english")
FOLLOW_UPS = ("next", *ABOUT_ANSWER)
#: What "why?" asks right after an answer that is not about the emotion.
WHY = {
    **{state: state for state in ("eyes", "effort", "sleep", "band")},
    **{"quality": "bad_channels", "usable_seconds": "bad_channels", "bad_channels": "bad_channels"},
    **{"reliability": "is_it_true", "rhythm": "band"},
}

ELECTRODES = (
    *("Fp1", "Fp2", "Fpz", "AF3", "AF4", "AF7", "AF8", "F3", "F4", "F7", "F8", "Fz", "FC1", "FC2", "FC5", "FC6", "FT7"),
    *("FT8", "C3", "C4", "Cz", "T3", "T4", "T5", "T6", "T7", "T8", "TP7", "TP8", "TP9", "TP10", "CP1", "CP2", "CP5"),
    *("CP6", "P3", "P4", "P7", "P8", "Pz", "PO3", "PO4", "PO7", "PO8", "O1", "O2", "Oz", "A1", "A2"),
)
SLOTS = ("emotion", "rank", "band", "region", "language")

_SMALL = re.compile(r"['`\u00b4\u02bc\u2018\u2019]")
_WORD = re.compile(r"[a-z]+[0-9]?(?![0-9])|[0-9]+(?:st|nd|rd|th)?|%|[^\W\d_a-z]+")
_UNIT = re.compile(rf"[{HAN}]|[a-z]+[0-9]?|[0-9]+|[\u03b1-\u03c9]|%")
_MARKUP = re.compile(r"<[^<>]{0,200}>|https?://\S{1,500}")
_OTHER_SCRIPT = re.compile("[\u3040-\u30ff\uac00-\ud7af\u0400-\u04ff\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff]")
_SEPARATOR = re.compile(
    r"[.!?;\n\u3002\uff01\uff1f\uff1b]+\s*|[,\uff0c\u3001]\s*(?:and|also|but|so)?\s*|\s+(?:and|also|plus|but)\s+"
    r"|(?:\u8fd8\u6709|\u4ee5\u53ca|\u53e6\u5916|\u987a\u4fbf|\u800c\u4e14|\u540c\u65f6)",
    re.IGNORECASE,
)
#: Marks after which something else may be asked, whatever its form.
_END = re.compile(r"[.!?;\n\u3002\uff01\uff1f\uff1b]")


@dataclass(frozen=True)
class Asked:
    """One question of a message.

    Attributes:
        intent: what is asked; ``outside`` where the classifier is not sure enough.
        text: the part of the message that asks it.
        probability: of the intent, as measured on questions that the classifier had not seen.
        slots: what it is about: ``emotion``, ``rank`` (``"1"`` to ``"9"``), ``band``, ``region``, ``electrode``; a
            second one as ``emotion2``, ``rank2``, ``band2``, ``region2``; ``language`` (``en``, ``zh``) where said.
        sure: false for both of two intents that this part may ask, and for ``outside`` where it may be none.
    """

    intent: str
    text: str
    probability: float
    slots: Mapping[str, str]
    sure: bool = True


@dataclass(frozen=True)
class Classifier:
    """The linear classifier of one language.

    Attributes:
        intents: names, sorted.
        hashes: of the features that are known, sorted, shape (features,), uint32.
        starts: where the weights of each feature begin, shape (features + 1,).
        columns: the intent of each weight, shape (weights,), uint8.
        weights: shape (weights,).
        bias: shape (intents,).
        temperature: the scores are divided by it.
        threshold: an intent that is less probable is ``outside``.
    """

    intents: tuple[str, ...]
    hashes: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    temperature: float
    threshold: float

    def predict(self, text: str) -> npt.NDArray[np.float64]:
        """Return the probability of each intent, shape (intents,)."""
        wanted = np.unique(hash_features(extract_features(text)))
        places = find_places(wanted, self.hashes)
        ranges = [np.arange(self.starts[place], self.starts[place + 1]) for place in places if place >= 0]
        used = np.concatenate([np.arange(0), *ranges])
        scores = np.bincount(self.columns[used], self.weights[used], len(self.intents)) / np.sqrt(max(1, len(wanted)))
        scores += self.bias
        powers = np.exp((scores - scores.max()) / self.temperature)
        probabilities: npt.NDArray[np.float64] = powers / powers.sum()
        return probabilities


@dataclass(frozen=True)
class Words:
    """The words of ``understanding.toml`` of one language.

    Attributes:
        slots: from a word or phrase to its slot and value.
        alike: from a word or phrase to the word that stands for it, and to the slot's name for words of slots.
        pattern: finds all of them, the longest first.
        spelling: from a word to the words that replace it.
        clauses: words, or Chinese characters, of which a question has at least one.
    """

    slots: Mapping[str, tuple[str, str]]
    alike: Mapping[str, str]
    pattern: re.Pattern[str]
    spelling: Mapping[str, str]
    clauses: frozenset[str]


def understand(text: str, before: Sequence[Asked] = ()) -> list[Asked]:
    """Return what a message asks, one or several questions in their order.

    Where it may ask either of two things, both are returned. Follow-ups are resolved with the turn before: "and the
    second?" after the emotion is ``rank``, "and joy?" is ``probability``. "More", "again" and "in Chinese please" stay
    what they are.

    Args:
        text: what the person typed; the first ``READ`` characters are read.
        before: what the turn before asked.
    """
    text = text[:READ]
    parts = _split_into_questions(text)
    asked = [one for part in parts for one in _understand_part(part)]
    if len(parts) > 1:  # "Fine." before a question asks nothing
        asked = [one for one in asked if one.intent in SMALL_TALK or len(extract_words(one.text)) > 1] or asked
    others = [one for one in asked if one.intent not in (*SMALL_TALK, OUTSIDE)]
    kept = others or [one for one in asked if one.intent != OUTSIDE] or asked[:1]
    resolved: list[Asked] = []
    for one in kept:
        one = _resolve_follow_up(one, (*before, *resolved)[-1:])
        if all((one.intent, one.slots) != (other.intent, other.slots) for other in resolved):
            resolved.append(one)
    return resolved


def find_nearest(text: str, count: int = 3) -> list[str]:
    """Return the intents that a text is nearest to, the most probable first, without ``outside`` and follow-ups."""
    chinese = is_chinese(text)
    classifier = load_classifier(chinese)
    probabilities = classifier.predict(text if chinese else _correct_spelling(text))
    names = [classifier.intents[n] for n in np.argsort(-probabilities, kind="stable")]
    return [name for name in names if name not in (OUTSIDE, *FOLLOW_UPS)][:count]


def normalise(text: str) -> str:
    """Return lower-case text without accents, apostrophes, markup and traditional characters; ``READ`` characters."""
    text = unicodedata.normalize("NFKC", _MARKUP.sub(" ", text[:READ]))[:READ].lower()
    text = _SMALL.sub("", text)
    if is_chinese(text):
        return text.translate(_load_simplified())
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def extract_features(text: str) -> list[str]:
    """Return the features of a text: its words or characters, their sequences, and the same of what is read alike.

    English: words, pairs, and three to five letters of a word. Chinese: sequences of one to four characters.
    """
    text = normalise(text)
    chinese = is_chinese(text)
    plain, alike = (_read_chinese if chinese else _read_english)(text)
    found: set[str] = set()
    for kind, sequence in (("", plain), ("~", alike)):
        ends = ["^", *sequence, "$"]
        longest = 4 if chinese else 3 if kind else 2
        for size in range(1, longest + 1):
            found |= {kind + " ".join(ends[start : start + size]) for start in range(len(ends) - size + 1)}
        if kind or chinese:
            found |= {f"{kind}{first}_{second}" for first, second in zip(ends, ends[2:], strict=False)}
    if not chinese:
        for word in {f"<{word}>" for word in plain}:
            for size in (3, 4, 5):
                found |= {f"#{word[start : start + size]}" for start in range(len(word) - size + 1)}
    found.add(f"={min(len(plain) // (2 if chinese else 1), 5)}")
    return sorted(found)


def extract_words(text: str) -> list[str]:
    """Return the words of an English text, or the characters and Latin words of a Chinese one."""
    text = normalise(text)
    return (_read_chinese if is_chinese(text) else _read_english)(text)[0]


def hash_features(features: Sequence[str]) -> npt.NDArray[np.uint32]:
    """Return a hash of each feature, shape (features,)."""
    return np.array([zlib.crc32(feature.encode(errors="replace")) for feature in features], dtype=np.uint32)


def find_slots(text: str) -> dict[str, str]:
    """Return what a text names: emotions, a rank, a band, a region, an electrode, a language; see ``Asked``."""
    text = normalise(text)
    chinese = is_chinese(text)
    words = load_words(chinese)
    slots: dict[str, str] = {}
    line = text if chinese else " ".join(_split_words(text))
    for match in words.pattern.finditer(line):
        second_of_time = match[0] == "second" and line[match.end() :].lstrip()[:1].isdigit()
        if match[0] in words.slots and not second_of_time:
            _add_slot(slots, *words.slots[match[0]])
    if "emotion" not in slots and not chinese:
        for word in _split_words(text):
            if near := _find_misspelled(word):
                _add_slot(slots, "emotion", near)
    names = {name.lower(): name for name in ELECTRODES}
    for word in re.findall(r"(?<![a-z0-9])[a-z]{1,3}(?:[0-9]{1,2}|z)(?![a-z0-9])", text):
        if word in names:
            slots.setdefault("electrode", names[word])
    return slots


def find_places(hashes: npt.NDArray[np.uint32], known: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Return where hashes are among the known ones, which are sorted, -1 where they are not, shape (hashes,)."""
    places = np.searchsorted(known, hashes).clip(max=len(known) - 1)
    return np.where(known[places] == hashes, places, -1)


@cache
def load_classifier(chinese: bool) -> Classifier:
    """Load the classifier of a language."""
    language = "zh" if chinese else "en"
    with np.load(MODEL) as file:
        counts = file[f"{language}_counts"].astype(np.int64)
        temperature, threshold = file[f"{language}_limits"].tolist()
        return Classifier(
            intents=tuple(file["intents"].tolist()),
            hashes=np.cumsum(file[f"{language}_hashes"], dtype=np.uint32),
            starts=np.concatenate([[0], np.cumsum(counts)]),
            columns=file[f"{language}_columns"],
            weights=file[f"{language}_weights"] * file[f"{language}_scale"][file[f"{language}_columns"]],
            bias=file[f"{language}_bias"].astype(np.float32),
            temperature=temperature,
            threshold=threshold,
        )


@cache
def load_words(chinese: bool) -> Words:
    """Load the words of a language."""
    stored = tomllib.loads(WORDS.read_text(encoding="utf-8"))["chinese" if chinese else "english"]
    slots = {
        phrase.strip(): (slot, value)
        for slot in SLOTS
        for value, phrases in stored[slot].items()
        for phrase in phrases.split(None if chinese else "|")
    }
    alike = {word: stands_for for stands_for, words in stored["alike"].items() for word in words.split()}
    alike |= {phrase: slot.upper() for phrase, (slot, _) in slots.items()}
    longest_first = "|".join(map(re.escape, sorted(alike, key=len, reverse=True)))
    pattern = re.compile(longest_first if chinese else rf"(?<!\S)(?:{longest_first})(?!\S)")
    spelling = dict(
        pair.split("=") for line in stored["spelling"].get("words", "").split("\n") for pair in line.split("|") if pair
    )
    return Words(slots, alike, pattern, spelling, frozenset(stored["clauses"]["words"].split()))


@cache
def _load_simplified() -> dict[int, int]:
    spelling = tomllib.loads(WORDS.read_text(encoding="utf-8"))["chinese"]["spelling"]
    return str.maketrans(spelling["traditional"], spelling["simplified"])


def _split_words(text: str) -> list[str]:
    """Return the English words of a normalised text, contractions and abbreviations written out."""
    spelling = load_words(False).spelling
    return " ".join(spelling.get(word, word) for word in _WORD.findall(text)).split()


def _read_english(text: str) -> tuple[list[str], list[str]]:
    """Return the words of a normalised text, and the same with names and words that are read alike replaced."""
    plain, words = _split_words(text), load_words(False)
    line = words.pattern.sub(lambda match: words.alike[match[0]], " ".join(plain))
    names = {name.lower() for name in ELECTRODES}
    alike = ["ELECTRODE" if word in names else "0" if word.isdigit() else word for word in line.split()]
    return plain, alike


def _read_chinese(text: str) -> tuple[list[str], list[str]]:
    """Return the characters and Latin words of a normalised text, and the same with what is read alike replaced."""
    words, names = load_words(True), {name.lower() for name in ELECTRODES}
    units = re.compile(f"{words.pattern.pattern}|{_UNIT.pattern}")
    alike = [words.alike.get(unit, unit) for unit in units.findall(text)]
    alike = ["ELECTRODE" if unit in names else "0" if unit.isdigit() else unit for unit in alike]
    return _UNIT.findall(text), alike


def _add_slot(slots: dict[str, str], slot: str, value: str) -> None:
    if slot in ("emotion", "rank", "band", "region") and slots.get(slot, value) != value:
        slots.setdefault(f"{slot}2", value)
    else:
        slots.setdefault(slot, value)


def _find_misspelled(word: str) -> str | None:
    """Return the emotion that a word of six letters or more means with one letter wrong, missing or too many."""
    if len(word) < 6 or not word.isalpha():
        return None
    for known, (slot, value) in load_words(False).slots.items():
        if slot != "emotion" or len(known) < 6 or known[0] != word[0] or abs(len(known) - len(word)) > 1:
            continue
        start = next(
            (n for n, (a, b) in enumerate(zip(word, known, strict=False)) if a != b), min(len(word), len(known))
        )
        rest, wanted = word[start:], known[start:]
        swapped = rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:]
        if rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:] or swapped:
            return value
    return None


def _split_into_questions(text: str) -> list[str]:
    """Split a message where its parts ask different things; each has to be understood and, but for marks, a clause."""
    marks = list(_SEPARATOR.finditer(text))
    starts, stops = [0, *(mark.end() for mark in marks)], [*(mark.start() for mark in marks), len(text)]
    pieces = [(a, b) for a, b in zip(starts, stops, strict=True) if re.search(r"\w", text[a:b])]
    if len(pieces) > MAX_PARTS:
        pieces = [*pieces[: MAX_PARTS - 1], (pieces[MAX_PARTS - 1][0], pieces[-1][1])]
    if len(pieces) < 2:
        return [text]
    ended = [True, *(bool(_END.search(text[a[1] : b[0]])) for a, b in pairwise(pieces)), True]
    asked = {
        (first, last): _understand_part(text[pieces[first][0] : pieces[last][1]])[0]
        for first in range(len(pieces))
        for last in range(first, len(pieces))
    }

    def stands_alone(first: int, last: int) -> bool:
        one = asked[first, last]
        between = not (ended[first] and ended[last + 1])
        return one.probability >= SURE and one.intent != OUTSIDE and not (between and not _is_clause(one))

    best, best_score = [(0, len(pieces) - 1)], 0.0
    for cuts in product((False, True), repeat=len(pieces) - 1):
        firsts = [0, *(place for place, cut in enumerate(cuts, start=1) if cut)]
        spans = [(first, following - 1) for first, following in pairwise([*firsts, len(pieces)])]
        parts = [asked[span] for span in spans]
        different = len({(one.intent, *sorted(one.slots.items())) for one in parts}) == len(parts)
        if len(spans) > 1 and not (different and all(stands_alone(*span) for span in spans)):
            continue
        known = (
            (last - first + 1) * asked[first, last].probability
            for first, last in spans
            if asked[first, last].intent != OUTSIDE
        )
        score = sum(known) / len(pieces) + GAIN * (len(spans) - 1)
        if score > best_score:
            best, best_score = spans, score
    return [text[pieces[first][0] : pieces[last][1]] for first, last in best]


def _is_clause(asked: Asked) -> bool:
    """Return whether a part of a message is more than a name in a list: small talk, or words as in a question."""
    if asked.intent in SMALL_TALK:
        return True
    words, chinese = extract_words(asked.text), is_chinese(asked.text)
    return len(words) >= (4 if chinese else 3) and not load_words(chinese).clauses.isdisjoint(words)


def _correct_spelling(text: str) -> str:
    """Replace English words of five letters or more that are not known by known ones that differ in one letter."""
    words, corrected = _split_words(normalise(text)), 0
    for n, word in enumerate(words):
        if 5 <= len(word) <= LONGEST and word.isalpha() and word.isascii() and corrected < MAX_CORRECTED:
            words[n] = _find_known_word(word)
            corrected += words[n] != word
    return " ".join(words) if corrected else text


@lru_cache(maxsize=10_000)
def _find_known_word(word: str) -> str:
    """Return an English word if the classifier knows it, else one that it knows and that differs in one letter."""
    classifier = load_classifier(False)
    halves = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]
    near = [word, *(a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1), *(a + b[1:] for a, b in halves if b)]
    near += [a + letter + b for a, b in halves for letter in ascii_lowercase]
    near += [a + letter + b[1:] for a, b in halves if b for letter in ascii_lowercase]
    return near[int((find_places(hash_features(near), classifier.hashes) >= 0).argmax())]


def _understand_part(part: str) -> list[Asked]:
    """Return what one question asks, without the turn before; both intents where it is one of two."""
    plain = normalise(part)
    strange = len(_OTHER_SCRIPT.findall(plain))
    if strange > 0.2 * len(plain.strip()) or not re.search(rf"[a-z{HAN}0-9]", plain):
        return [Asked(OUTSIDE, part, 1.0, {})]
    chinese = is_chinese(part)
    classifier = load_classifier(chinese)
    plain = part if chinese else _correct_spelling(part)
    probabilities = classifier.predict(plain)
    slots = find_slots(plain) or find_slots(part)
    first, second = (
        Asked(classifier.intents[place], part, float(probabilities[place]), slots)
        for place in np.argsort(-probabilities, kind="stable")[:2]
    )
    if first.probability >= classifier.threshold:
        return [first]
    together = first.probability + second.probability
    if together >= classifier.threshold and {first.intent, second.intent}.isdisjoint((OUTSIDE, *FOLLOW_UPS)):
        return [replace(first, sure=False), replace(second, sure=False)]
    probability = first.probability if first.intent == OUTSIDE else 1 - first.probability
    return [Asked(OUTSIDE, part, probability, slots, sure=False)]


def _resolve_follow_up(asked: Asked, before: Sequence[Asked]) -> Asked:
    """Return a question with what it leaves out taken from the turn before."""
    previous = before[-1] if before else Asked(OUTSIDE, "", 0.0, {})
    intent, slots = asked.intent, dict(asked.slots)
    if intent == OUTSIDE and before and slots and len(extract_words(asked.text)) <= SHORT:
        intent = "next"
    if intent == "next":
        if "emotion" in slots:
            intent = "probability"
        elif "rank" in slots:
            intent = "rank"
        elif "band" in slots or "region" in slots:
            intent = "band"
        elif "electrode" in slots:
            intent = previous.intent if previous.intent in ("channels", "absent_channels") else "bad_channels"
        elif previous.intent in ("emotion", "rank"):
            intent = "rank"
        else:
            intent = "more" if before else OUTSIDE
    if intent == "why" and not slots and len(extract_words(asked.text)) <= SHORT:
        intent = WHY.get(previous.intent, "why")
    if intent == "rank" and "rank" not in slots:
        slots["rank"] = str(min(9, int(previous.slots.get("rank", 1)) + 1))
    if intent == "compare" and "emotion2" not in slots and "emotion" in previous.slots:
        slots["emotion2"] = slots.get("emotion", previous.slots.get("emotion2", ""))
        slots["emotion"] = previous.slots["emotion"]
    for name in {"probability": ("emotion",), "band": ("band", "region")}.get(intent, ()):
        if name not in slots and name in previous.slots:
            slots[name] = previous.slots[name]
    return replace(asked, intent=intent, slots=slots)
