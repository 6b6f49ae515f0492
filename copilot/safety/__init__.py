"""Words of self-harm, danger or a medical emergency, met by a fixed text in place of any model's (see ``find_help``).

Phrases come first: those that leave no doubt, in English, Chinese and a few other languages. Then a small model reads
for danger in other words (see ``model``), and where it is in doubt, less certain phrases decide. All this misses
things, and now and then it fires for nothing; it decides nothing: all it does is show where help is. Phrases and texts
stand in ``phrases.toml``. ``tests/test_safety_recall.py`` measures it.
"""

import re
from dataclasses import dataclass
from functools import cache

from copilot.safety import classifier
from copilot.safety.normalise import bank, plain, plain_chinese, single

KINDS = ("self_harm", "danger", "emergency")
#: Letters read at the beginning and at the end of a longer text; no field of the page takes a tenth of it.
READ = 2000
KANA = re.compile("[\u3041-\u30ff]")


@dataclass(frozen=True)
class Help:
    """Where help is.

    Attributes:
        certain: the text is shown in place of an answer; else beside it.
        text: several lines, in the language of the message.
    """

    certain: bool
    text: str


def find_help(text: str) -> Help | None:
    """Return the help for a message with words of self-harm, danger or an emergency, or None.

    Every gap in a phrase is bounded, so that a longer text takes time in proportion to its length; of more than 4,000
    letters the first and the last 2,000 are read.
    """
    if len(text) > 2 * READ:
        text = f"{text[:READ]}\n{text[-READ:]}"
    words = bank()
    chinese, latin = plain_chinese(text), plain(text)
    if KANA.search(chinese) and _chinese("japanese", "certain").search(chinese):
        return _help_abroad("japanese")
    chinese, english = _chinese("negated", "chinese").sub("", chinese), _phrases("negated", "phrases").sub(" ", latin)
    for kind in KINDS:
        if _chinese(kind, "chinese_certain").search(chinese):
            return Help(True, words[kind]["text_chinese"].strip())
        if _phrases(kind, "certain").search(english):
            return Help(True, words[kind]["text"].strip())
    for language in ("german", "spanish", "french"):
        if _phrases(language, "certain").search(english):
            return _help_abroad(language)
    literal = _chinese("idioms", "chinese").sub("", chinese), _phrases("idioms", "phrases").sub(" ", english)
    judgement = classifier.judge(text)
    if judgement == "danger" and literal == (chinese, english):
        return Help(False, words["possible"]["text_chinese" if classifier.is_chinese(text) else "text"].strip())
    if judgement == "harmless":
        return None
    if any(_chinese(kind, "chinese_possible").search(chinese) for kind in KINDS) or _chinese("alone", "chinese").search(
        literal[0]
    ):
        return Help(False, words["possible"]["text_chinese"].strip())
    if any(_phrases(kind, "possible").search(english) for kind in KINDS) or _phrases("alone", "possible").search(
        literal[1]
    ):
        return Help(False, words["possible"]["text"].strip())
    return None


def _help_abroad(language: str) -> Help:
    return Help(True, f"{bank()[language]['help']}\n\n{bank()['self_harm']['text'].strip()}")


@cache
def _phrases(kind: str, tier: str) -> re.Pattern[str]:
    """Phrases as one pattern.

    A space may be missing (``killmyself``), ``...`` is up to three words, ``~`` up to eight, and ``<a|b>`` refuses
    what is followed by one of these whole words, unless they are among those that excuse nothing.
    """
    pattern = "|".join(phrase.strip() for phrase in bank()[kind][tier])
    for name, words in bank()["stands_for"].items():
        pattern = re.sub(rf"\b{name}\b", words, pattern)
    pattern = re.sub(r"<([^<>]*)>", rf"(?! (?!(?:{'|'.join(bank()['never_excuses'])})\\b)(?:\1)\\b)", pattern)
    pattern = re.sub(r"\((?!\?)", "(?:", single(pattern).replace(" ?", " ").replace(" ", " ?"))
    pattern = pattern.replace(" ?... ?", r"(?: [a-z0-9]{1,20}){0,3} ").replace(" ?~ ?", r"(?: [a-z0-9]{1,20}){0,8} ")
    return re.compile(rf"\b(?:{pattern})\b")


@cache
def _chinese(kind: str, tier: str) -> re.Pattern[str]:
    return re.compile("|".join(phrase.replace("(", "(?:").replace("(?:?", "(?") for phrase in bank()[kind][tier]))
