"""Words of self-harm, danger or a medical emergency, answered at once by a fixed text before any model is asked.

A list of phrases is crude: it misses things, and now and then it fires for nothing. It is made to fire rather once
too often, and it decides nothing: all it does is show where help is. Phrases and texts stand in ``safety.toml``, in
English and Chinese.
"""

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

KINDS = ("self_harm", "danger", "emergency")
APOSTROPHES = re.compile("['`\u00b4\u02bc\u2018\u2019\uff07]")
LOOKALIKES = str.maketrans("013457@$!|", "oieastasii")


def answer_at_once(text: str) -> str | None:
    """The fixed text for a message with words of self-harm, danger or an emergency, in its language; else None.

    Takes time in proportion to the length of ``text``: every gap in a phrase is bounded.
    """
    english = _negated().sub(" ", plain(text))
    chinese = _negated_chinese().sub("", plain_chinese(text))
    for kind in KINDS:
        phrases, phrases_chinese = _phrases(kind)
        if phrases_chinese.search(chinese):
            return str(_bank()[kind]["text_chinese"]).strip()
        if phrases.search(english):
            return str(_bank()[kind]["text"]).strip()
    return None


def plain(text: str) -> str:
    """Lower-case words with disguises undone: ``K1LL  my-self`` and ``k.i.l.l myself`` become ``kil myself``.

    Doubled letters become single ones, so that ``dieee`` is ``die``; phrases are treated alike.
    """
    text = unicodedata.normalize("NFKD", APOSTROPHES.sub("", text.casefold()))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    text = re.sub(r"(?<=[a-z])(?:[013457@$|]+|!(?=[a-z]))|[@$](?=[a-z])", lambda m: m[0].translate(LOOKALIKES), text)
    text = re.sub(r"[^a-z0-9]+", " ", text).strip()
    text = re.sub(r"\b[a-z](?: [a-z]\b){2,}", lambda m: m[0].replace(" ", ""), text)
    return _single(_spelling().sub(lambda m: str(_bank()["spelling"][m[0]]), text))


def plain_chinese(text: str) -> str:
    """Letters and digits alone, in simplified characters: ``我 想.自殺`` becomes ``我想自杀``."""
    characters = str.maketrans(_bank()["characters"]["traditional"], _bank()["characters"]["simplified"])
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).translate(characters)


def _single(text: str) -> str:
    return re.sub(r"([a-z])\1+", r"\1", text)


def _compiled(phrases: list[str]) -> re.Pattern[str]:
    """Phrases as one pattern; a space may be missing (``killmyself``), ``...`` is up to three words."""
    pattern = "|".join(phrases)
    for name, words in _bank()["stands_for"].items():
        pattern = pattern.replace(name, words)
    gap = r"(?: [a-z0-9]{1,20}){0,3} "
    return re.compile(rf"\b(?:{gap.join(part.replace(' ', ' ?') for part in _single(pattern).split(' ... '))})\b")


@cache
def _phrases(kind: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """English and Chinese phrases of a kind."""
    return _compiled(_bank()[kind]["phrases"]), re.compile("|".join(_bank()[kind]["chinese"]))


@cache
def _negated() -> re.Pattern[str]:
    return _compiled(_bank()["negated"]["phrases"])


@cache
def _negated_chinese() -> re.Pattern[str]:
    return re.compile("|".join(_bank()["negated"]["chinese"]))


@cache
def _spelling() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(_bank()['spelling'])})\b")


@cache
def _bank() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
