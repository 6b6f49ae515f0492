"""Normalise text and undo disguises before it is searched for danger (``normalise_latin``, ``normalise_chinese``)."""

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

APOSTROPHES = re.compile("['`\u00b4\u02bc\u2018\u2019\uff07]")
LOOKALIKES = str.maketrans("013457@$!|", "oieastasii")
#: Marks that replace letters of a word.
MARKS = "*#%_.+~^-"
#: Words that would become others without their doubled letters: of, ods, drops.
_DOUBLED = r"\b(?:off|odds|droop)"


def normalise_latin(text: str) -> str:
    """Return lower-case words with disguises undone: ``K1LL  my-self`` and ``k.i.l.l myself`` become ``kil myself``.

    Doubled letters become single ones, so that ``dieee`` is ``die``; phrases are treated alike.
    """
    text = unicodedata.normalize("NFKD", APOSTROPHES.sub("", text.casefold()))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    text = _compile_masked().sub(_unmask, text)
    text = re.sub(r"(?<=[a-z])(?:[013457@$|]+|!(?=[a-z]))|[@$](?=[a-z])", lambda m: m[0].translate(LOOKALIKES), text)
    text = re.sub(r"[^a-z0-9]+", " ", text).strip()
    text = re.sub(r"\b[a-z](?: [a-z]\b){2,}", lambda m: m[0].replace(" ", ""), text)
    return collapse_doubles(_compile_spellings().sub(lambda m: str(load_phrases()["spelling"][m[0]]), text))


def normalise_chinese(text: str) -> str:
    """Return letters and digits alone, in lower case and simplified characters: ``我 想.自殺`` becomes ``我想自杀``."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower().translate(load_simplified())


def collapse_doubles(text: str) -> str:
    """Replace doubled letters by single ones, but for a few words."""
    return re.sub(rf"{_DOUBLED}|([a-z])\1+", lambda match: match[1] or match[0], text)


@cache
def load_simplified() -> dict[int, int]:
    """Return what ``str.translate`` needs to turn traditional characters into simplified ones."""
    characters = load_phrases()["characters"]
    return str.maketrans(characters["traditional"], characters["simplified"])


@cache
def _compile_spellings() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(load_phrases()['spelling'], key=len, reverse=True))})\b")


@cache
def _compile_masked() -> re.Pattern[str]:
    """Compile a pattern for words with one to three of their letters replaced by marks."""
    marks, words = re.escape(MARKS), load_phrases()["masked"]
    patterns = (word[0] + "".join(f"[{letter}{marks}]" for letter in word[1:]) for word in words)
    return re.compile(rf"\b(?:{'|'.join(patterns)})(?![a-z])")


def _unmask(found: re.Match[str]) -> str:
    """Return the first word that the marks of a match can stand for."""
    words: list[str] = load_phrases()["masked"]
    return next(
        word
        for word in words
        if len(word) == len(found[0]) and all(a == b or b in MARKS for a, b in zip(word, found[0], strict=True))
    )


@cache
def load_phrases() -> dict[str, Any]:
    """Load phrases, texts and spellings of ``phrases.toml``."""
    return tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
