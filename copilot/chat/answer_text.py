"""Split a model's answer into sentences and clauses, and find of what kind each clause is.

The words are in ``answer_check.toml``; ``search`` finds them.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from copilot.safety.normalise import LOOKALIKES, load_simplified
from copilot.text import HAN, is_chinese

#: Characters after which a sentence without an end is cut.
LONGEST_SENTENCE = 400
ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|dr|mr|mrs|ms|prof|vs|approx|ca|cf|fig|no|st|al)|^\s*\d{1,2})\.$", re.I)
CLOSERS = "\"'\u201d\u2019\u300d\u300f\uff09)\\]*_"
#: A full stop ends a sentence only before a space; all ends wait for the next character, which may close a quote.
END = re.compile(rf"\n|[.!?…]+[{CLOSERS}]*(?=\s)|[。！？；]+[{CLOSERS}]*(?=[^。！？；{CLOSERS}])")
ENDED = re.compile(rf"[.!?…。！？；][{CLOSERS}]*$")

SEPARATOR = re.compile(
    r"(?:(?<!\d),|,(?!\d)|[:、]|\band\b|和)(?!\s*\d)(?!\s*[acfopt][a-z]?\d?[0-9z](?![a-z0-9]))|\s-\s|[.!?](?=\s)"
    r"|[;()。\u2014\u2013…]|(?<!anything )(?<!nothing )\b(?:but|however|although|though|while|whereas|because|since|yet"
    r"|so|(?:of )?which|instead)\b|但是?|不过|然而|却|因为|所以|而且|并且|以及|同时|虽然|而(?!且)|与(?!其说)|(?=不如说)"
)
#: Words after which nothing of what was said before goes on.
CONTRASTS = frozenset(
    [
        "but",
        "however",
        "although",
        "though",
        "yet",
        "whereas",
        "instead",
        "但",
        "但是",
        "不过",
        "然而",
        "却",
        ":",
        ";",
        "而",
    ]
)
FULL_FORMS = {"n't": " not", "cannot": "can not", "'re": " are", "'m": " am", "'ve": " have", "'ll": " will"}
SUBJECT = re.compile(r"\b(?:i|you|it|this|that|we|they|there|is|are|was|were|has|have|shows?)\b|[您你我这是]")


@dataclass(frozen=True)
class Clause:
    """A part of a sentence, normalised.

    Attributes:
        text: without idioms.
        exempt: it speaks of people in general, gives advice, asks, or says what cannot be known.
        hedge: it says what cannot be known.
        specific: it speaks of this reading or this person.
        has_subject: else it goes on with the clause before.
    """

    text: str
    exempt: bool
    hedge: bool
    specific: bool
    has_subject: bool


def split_sentences(tokens: Iterable[str]) -> Iterator[str]:
    """Yield whole sentences of a streamed text as soon as they are complete; together they are the text.

    A sentence ends at an end mark or before a new line; white space between sentences begins the next one. Without an
    end it is cut after at most ``LONGEST_SENTENCE`` characters, at a space if there is one.
    """
    buffer = ""
    for token in tokens:
        buffer += token
        start = 0
        while end := _find_end(buffer, start):
            yield buffer[start:end]
            start = end
        buffer = buffer[start:]
    if buffer.strip():
        yield buffer


def _find_end(text: str, start: int) -> int:
    """Return where the sentence that begins at ``start`` ends, or 0 if it is not complete yet."""
    limit = start + LONGEST_SENTENCE
    for match in END.finditer(text, start, limit):
        newline = match[0] == "\n"
        sentence = text[start : match.start() if newline else match.end()]
        if sentence.strip() and not (match[0] == "." and ABBREVIATION.search(sentence)):
            return match.start() if newline else match.end()
    if len(text) <= limit:
        return 0
    spaces = [text.rfind(mark, start + 1, limit) for mark in " ,，、"]
    return max(spaces) if max(spaces) > start + LONGEST_SENTENCE // 2 else limit


def normalise(sentence: str) -> str:
    """Return a sentence in one form: lower case, simplified characters, no emphasis or bullet, no short forms."""
    text = unicodedata.normalize("NFKC", sentence).casefold()
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Mn"))
    text = re.sub(r"[\u2018\u2019\u02bc`\u00b4]", "'", text).translate(load_simplified())
    text = re.sub(r"[*_`~#\"\u201c\u201d\u300c\u300d]", "", text)
    text = re.sub(r"(?<=[a-z])[013457@$](?=[a-z])", lambda m: m[0].translate(LOOKALIKES), text)
    text = re.sub(r"\b[a-z](?:[ .-][a-z]\b){2,}", lambda m: re.sub("[ .-]", "", m[0]), text)
    text = re.sub(r"\b(won't|can't|shan't)", lambda m: {"w": "will", "c": "can", "s": "shall"}[m[0][0]] + "n't", text)
    text = re.sub(
        r"\b(do|does|did|is|are|was|were|have|has|can|could|would|will)n't (?=you|it|this|that|we|i|the)", r"\1 ", text
    )
    for short, full in FULL_FORMS.items():
        text = text.replace(short, full)
    text = re.sub(r"\b(it|that|this|there|what|he|she|here|who)'s\b", r"\1 is", text)
    text = re.sub(rf"(?<=[{HAN}α-ω])\s+|\s+(?=[{HAN}])", "", text)  # no spaces inside Chinese
    return re.sub(r"^(?:(?:[-•·>]+|\d{1,2}[.)、])\s+)+", "", " ".join(text.split()))


def is_readable(text: str) -> bool:
    """Return whether a sentence is in English or Chinese letters: others cannot be checked."""
    letters = [c for c in text if c.isalpha() and not is_chinese(c) and c not in "αβγδθμσ"]
    words = re.findall("[a-z]+", text)
    return all(c.isascii() for c in letters) and (
        is_chinese(text) or len(words) < 4 or search("english", text) is not None
    )


def split_clauses(text: str) -> list[Clause]:
    """Split a normalised sentence at commas and conjunctions, and find of what kind each part is."""
    clauses: list[Clause] = []
    start, before = 0, ""
    question = text.endswith(("?", "吗", "呢")) and not search("rhetorical", text)
    for match in [*SEPARATOR.finditer(text), None]:
        part = _blank("idiom", text[start : match.start() if match else len(text)])
        if part.strip(" .!?。！？"):
            follows = bool(clauses) and before not in CONTRASTS and not SUBJECT.search(_blank("conditional", part))
            clauses.append(_describe_clause(part, question, follows and clauses[-1].exempt))
        if match:
            start, before = match.end(), match[0].strip()
    return clauses


def _describe_clause(text: str, question: bool, goes_on: bool) -> Clause:
    """Return a clause; ``goes_on`` if it continues one that is exempt."""
    person = search("about_you", _blank("conditional", text)) is not None
    reading = search("about_this", text) is not None
    mind = search("about_mind", text) is not None
    hedge = search("hedge", text) is not None and not search("not_hedge", text)
    general = search("general", text) and not person and not mind and not search("past", text)
    advice = search("advice", text.strip()) and not person
    empathy = search("empathy", text) and not mind
    conditional = pattern("conditional_start").match(text.lstrip())
    exempt = hedge or bool((goes_on or question or general or advice or empathy or conditional) and not reading)
    specific = reading or person or search("claim", text) is not None
    return Clause(text, exempt, hedge, specific, SUBJECT.search(text) is not None)


def _blank(words: str, text: str) -> str:
    """Return a text with some words replaced by spaces."""
    return pattern(words).sub(lambda match: " " * len(match[0]), text)


def is_negated(before: str) -> bool:
    """Return whether an odd number of words in a text deny what follows it."""
    return len(pattern("negation").findall(pattern("not_negation").sub(" ", before))) % 2 == 1


def is_negated_after(after: str) -> bool:
    """Return whether a text denies what stands before it: "joy is unlikely"."""
    return pattern("negated_after").match(after.lstrip()) is not None


@cache
def load_words() -> dict[str, Any]:
    """Load the words of ``answer_check.toml``."""
    return tomllib.loads(Path(__file__).with_name("answer_check.toml").read_text(encoding="utf-8"))


@cache
def pattern(*path: str) -> re.Pattern[str]:
    """Compile a list of words; a single name is one of ``speech``."""
    words = load_words()
    for name in path if len(path) > 1 else ("speech", *path):
        words = words[name]
    listed = words["words"] if isinstance(words, dict) else words
    latin, han = ("|".join(word for word in listed if is_chinese(word) == chinese) for chinese in (False, True))
    return re.compile("|".join([rf"(?<![a-z])(?:{latin})(?![a-z])", *([han] if han else [])]))


def search(*path_and_text: str) -> re.Match[str] | None:
    """Search a text, the last argument, for the words at a path."""
    *path, text = path_and_text
    return pattern(*path).search(text)
