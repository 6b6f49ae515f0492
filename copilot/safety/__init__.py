"""Find words of self-harm, danger or an emergency, and answer them with a fixed text, not a model (see ``find_help``).

Unambiguous phrases come first, in English, Chinese and a few other languages. Then a small model looks for danger in
other words (see ``classifier``), and where it is uncertain, less certain phrases decide. All this misses messages and
has false alarms; it only shows where help is. Phrases and texts are in ``phrases.toml``, the numbers of countries in
``helplines.toml``. ``tests/unit/safety/test_recall.py`` measures it.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from copilot.safety import classifier
from copilot.safety.normalise import collapse_doubles, load_phrases, normalise_chinese, normalise_latin
from copilot.safety.region import describe_help
from copilot.text import is_chinese

KINDS = ("self_harm", "danger", "emergency")
#: Besides English and Chinese; these get a line of help in their own language before the English text.
LANGUAGES = ("german", "spanish", "french", "japanese")
#: Characters read at the beginning and at the end of a longer text; no field of the page takes a tenth of it.
READ = 2000
KANA = re.compile("[\u3041-\u30ff]")


@dataclass(frozen=True)
class Help:
    """A text that says where help is.

    Attributes:
        certain: whether the text is shown in place of an answer; else it is shown beside it.
        text: several lines, in the language of the message.
    """

    certain: bool
    text: str


def find_help(text: str, region: str = "") -> Help | None:
    """Return the help for a message with words of self-harm, danger or an emergency, or None.

    Every gap in a phrase is bounded, so that a longer text takes time in proportion to its length; of more than 4,000
    characters the first and the last 2,000 are read.

    Args:
        text: what the person wrote.
        region: ISO 3166 code of the person's country, empty if unknown; its numbers come first (see ``region``).
    """
    danger = _find_danger(text)
    if not danger:
        return None
    words = load_phrases()
    language: Literal["english", "chinese"] = "chinese" if danger.language == "chinese" else "english"
    parts = [
        describe_help(region, danger.kind, language),
        words[danger.language]["help"] if danger.language in LANGUAGES else "",
        words[danger.kind]["text_chinese" if language == "chinese" else "text"].strip(),
    ]
    return Help(danger.certain, "\n\n".join(part for part in parts if part))


@dataclass(frozen=True)
class _Danger:
    """Words of danger: whether they are certain, their kind (or ``possible``), and the language of the message."""

    certain: bool
    kind: str
    language: str = "english"


def _find_danger(text: str) -> _Danger | None:
    if len(text) > 2 * READ:
        text = f"{text[:READ]}\n{text[-READ:]}"
    chinese, latin = normalise_chinese(text), normalise_latin(text)
    # 1. Phrases that are certain, in any of the languages
    if KANA.search(chinese) and _compile_chinese("japanese", "certain").search(chinese):
        return _Danger(True, "self_harm", "japanese")
    chinese = _compile_chinese("negated", "chinese").sub("", chinese)
    english = _compile_phrases("negated", "phrases").sub(" ", latin)
    for kind in KINDS:
        if _compile_chinese(kind, "chinese_certain").search(chinese):
            return _Danger(True, kind, "chinese")
        if _compile_phrases(kind, "certain").search(english):
            return _Danger(True, kind)
    for language in ("german", "spanish", "french"):
        if _compile_phrases(language, "certain").search(english):
            return _Danger(True, "self_harm", language)
    # 2. The classifier; what it calls danger may be an idiom
    literal_chinese = _compile_chinese("idioms", "chinese").sub("", chinese)
    literal_english = _compile_phrases("idioms", "phrases").sub(" ", english)
    judgement = classifier.judge_text(text)
    if judgement == "danger" and (literal_chinese, literal_english) == (chinese, english):
        return _Danger(False, "possible", "chinese" if is_chinese(text) else "english")
    if judgement == "harmless":
        return None
    # 3. Phrases that are possible, where the classifier is uncertain
    if any(_compile_chinese(kind, "chinese_possible").search(chinese) for kind in KINDS) or _compile_chinese(
        "alone", "chinese"
    ).search(literal_chinese):
        return _Danger(False, "possible", "chinese")
    if any(_compile_phrases(kind, "possible").search(english) for kind in KINDS) or _compile_phrases(
        "alone", "possible"
    ).search(literal_english):
        return _Danger(False, "possible")
    return None


@cache
def _compile_phrases(kind: str, tier: str) -> re.Pattern[str]:
    """Compile phrases to one pattern.

    A space may be missing (``killmyself``), ``...`` is up to three words, ``~`` up to eight, and ``<a|b>`` excludes
    a phrase that is followed by one of these whole words, unless they are under ``never_excuses``.
    """
    pattern = "|".join(phrase.strip() for phrase in load_phrases()[kind][tier])
    for name, words in load_phrases()["stands_for"].items():
        pattern = re.sub(rf"\b{name}\b", words, pattern)
    pattern = re.sub(r"<([^<>]*)>", rf"(?! (?!(?:{'|'.join(load_phrases()['never_excuses'])})\\b)(?:\1)\\b)", pattern)
    pattern = re.sub(r"\((?!\?)", "(?:", collapse_doubles(pattern).replace(" ?", " ").replace(" ", " ?"))
    pattern = pattern.replace(" ?... ?", r"(?: [a-z0-9]{1,20}){0,3} ").replace(" ?~ ?", r"(?: [a-z0-9]{1,20}){0,8} ")
    return re.compile(rf"\b(?:{pattern})\b")


@cache
def _compile_chinese(kind: str, tier: str) -> re.Pattern[str]:
    return re.compile(
        "|".join(phrase.replace("(", "(?:").replace("(?:?", "(?") for phrase in load_phrases()[kind][tier])
    )
