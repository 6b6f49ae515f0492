"""Words of self-harm, danger or a medical emergency, met by a fixed text in place of any model's (see ``find_help``).

A list of phrases is crude: it misses things, and now and then it fires for nothing. It is made to fire rather once
too often, and it decides nothing: all it does is show where help is. Phrases and texts stand in ``safety.toml``, in
English and Chinese, and plain ones in a few other languages. ``tests/test_safety_recall.py`` measures it.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

KINDS = ("self_harm", "danger", "emergency")
APOSTROPHES = re.compile("['`\u00b4\u02bc\u2018\u2019\uff07]")
LOOKALIKES = str.maketrans("013457@$!|", "oieastasii")
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
    bank = _bank()
    chinese, latin = plain_chinese(text), plain(text)
    if KANA.search(chinese) and _chinese("japanese", "certain").search(chinese):
        return _help_abroad("japanese")
    chinese, english = _chinese("negated", "chinese").sub("", chinese), _phrases("negated", "phrases").sub(" ", latin)
    for kind in KINDS:
        if _chinese(kind, "chinese_certain").search(chinese):
            return Help(True, bank[kind]["text_chinese"].strip())
        if _phrases(kind, "certain").search(english):
            return Help(True, bank[kind]["text"].strip())
    for language in ("german", "spanish", "french"):
        if _phrases(language, "certain").search(english):
            return _help_abroad(language)
    literal = _chinese("idioms", "chinese").sub("", chinese), _phrases("idioms", "phrases").sub(" ", english)
    if any(_chinese(kind, "chinese_possible").search(chinese) for kind in KINDS) or _chinese("alone", "chinese").search(
        literal[0]
    ):
        return Help(False, bank["possible"]["text_chinese"].strip())
    if any(_phrases(kind, "possible").search(english) for kind in KINDS) or _phrases("alone", "possible").search(
        literal[1]
    ):
        return Help(False, bank["possible"]["text"].strip())
    return None


def plain(text: str) -> str:
    """Lower-case words with disguises undone: ``K1LL  my-self`` and ``k.i.l.l myself`` become ``kil myself``.

    Doubled letters become single ones, so that ``dieee`` is ``die``; phrases are treated alike.
    """
    text = unicodedata.normalize("NFKD", APOSTROPHES.sub("", text.casefold()))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    text = _masked().sub(_unmasked, text)
    text = re.sub(r"(?<=[a-z])(?:[013457@$|]+|!(?=[a-z]))|[@$](?=[a-z])", lambda m: m[0].translate(LOOKALIKES), text)
    text = re.sub(r"[^a-z0-9]+", " ", text).strip()
    text = re.sub(r"\b[a-z](?: [a-z]\b){2,}", lambda m: m[0].replace(" ", ""), text)
    return _single(_spelling().sub(lambda m: str(_bank()["spelling"][m[0]]), text))


def plain_chinese(text: str) -> str:
    """Letters and digits alone, in lower case and simplified characters: ``我 想.自殺`` becomes ``我想自杀``."""
    characters = str.maketrans(_bank()["characters"]["traditional"], _bank()["characters"]["simplified"])
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower().translate(characters)


def _help_abroad(language: str) -> Help:
    return Help(True, f"{_bank()[language]['help']}\n\n{_bank()['self_harm']['text'].strip()}")


def _single(text: str) -> str:
    return re.sub(r"([a-z])\1+", r"\1", text)


@cache
def _phrases(kind: str, tier: str) -> re.Pattern[str]:
    """Phrases as one pattern.

    A space may be missing (``killmyself``), ``...`` is up to three words, ``~`` up to eight, and ``<a|b>`` refuses
    what is followed by one of these whole words, unless they are among those that excuse nothing.
    """
    pattern = "|".join(phrase.strip() for phrase in _bank()[kind][tier])
    for name, words in _bank()["stands_for"].items():
        pattern = re.sub(rf"\b{name}\b", words, pattern)
    pattern = re.sub(r"<([^<>]*)>", rf"(?! (?!(?:{'|'.join(_bank()['never_excuses'])})\\b)(?:\1)\\b)", pattern)
    pattern = re.sub(r"\((?!\?)", "(?:", _single(pattern).replace(" ?", " ").replace(" ", " ?"))
    pattern = pattern.replace(" ?... ?", r"(?: [a-z0-9]{1,20}){0,3} ").replace(" ?~ ?", r"(?: [a-z0-9]{1,20}){0,8} ")
    return re.compile(rf"\b(?:{pattern})\b")


@cache
def _chinese(kind: str, tier: str) -> re.Pattern[str]:
    return re.compile("|".join(phrase.replace("(", "(?:").replace("(?:?", "(?") for phrase in _bank()[kind][tier]))


@cache
def _spelling() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(_bank()['spelling'], key=len, reverse=True))})\b")


MARKS = "*#%_.+~^-"


@cache
def _masked() -> re.Pattern[str]:
    """Words with one to three of their letters replaced by marks."""
    patterns = ("".join([word[0], *(f"[{letter}{re.escape(MARKS)}]" for letter in word[1:])]) for word in _hidden())
    return re.compile(rf"\b(?:{'|'.join(patterns)})(?![a-z])")


def _unmasked(found: re.Match[str]) -> str:
    fits = (
        word
        for word in _hidden()
        if len(word) == len(found[0]) and all(a == b or b in MARKS for a, b in zip(word, found[0], strict=True))
    )
    return next(fits)


def _hidden() -> list[str]:
    return list(_bank()["masked"])


@cache
def _bank() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
