"""Text as phrases and models of danger compare it, disguises undone (see ``plain`` and ``plain_chinese``)."""

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

APOSTROPHES = re.compile("['`\u00b4\u02bc\u2018\u2019\uff07]")
LOOKALIKES = str.maketrans("013457@$!|", "oieastasii")


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
    return single(_spelling().sub(lambda m: str(bank()["spelling"][m[0]]), text))


def plain_chinese(text: str) -> str:
    """Letters and digits alone, in lower case and simplified characters: ``我 想.自殺`` becomes ``我想自杀``."""
    characters = str.maketrans(bank()["characters"]["traditional"], bank()["characters"]["simplified"])
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower().translate(characters)


def single(text: str) -> str:
    """Doubled letters become single ones."""
    return re.sub(r"([a-z])\1+", r"\1", text)


@cache
def _spelling() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(bank()['spelling'], key=len, reverse=True))})\b")


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
    return list(bank()["masked"])


@cache
def bank() -> dict[str, Any]:
    """Phrases, texts and spellings of ``phrases.toml``."""
    return tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
