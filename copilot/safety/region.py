"""Find the country of a user, and write the sentence with its emergency number and crisis lines.

The numbers and where they come from are in ``helplines.toml``. A language tells a country only roughly: many browsers
ask for ``en-US`` outside the United States. Therefore the sentence says "If you are in ...".
"""

import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

#: Countries of languages that are official in hardly any other; a language without a region tells none otherwise.
COUNTRIES = {"da": "DK", "ja": "JP", "ko": "KR", "nb": "NO", "nn": "NO", "no": "NO", "pl": "PL"}
#: Language, up to three extensions, script, and region of a language tag (RFC 5646, 2.1).
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?P<region>[a-z]{2}))?(?:-[a-z0-9]{1,8})*",
    re.IGNORECASE,
)
_WEIGHT = re.compile(r"\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


def find_region(accept_language: str) -> str:
    """Return the country that an ``Accept-Language`` header (RFC 9110, 12.5.4) tells, as ISO 3166 code, or "".

    Only the language that it prefers counts: ``de,en-US;q=0.7`` is sent by German browsers everywhere. Takes time in
    proportion to the header's length.
    """
    tags: list[tuple[float, int, re.Match[str]]] = []
    for place, part in enumerate(accept_language.split(",")):
        text, separator, weight = part.partition(";")
        tag, quality = _TAG.fullmatch(text.strip()), _WEIGHT.fullmatch(weight if separator else "q=1")
        if tag and quality and float(quality[1]) > 0:
            tags.append((-float(quality[1]), place, tag))
    tags.sort(key=lambda found: found[:2])
    if not tags:
        return ""
    language = tags[0][2]["language"].lower()
    regions = [tag["region"].upper() for *_, tag in tags if tag["region"] and tag["language"].lower() == language]
    return regions[0] if regions else COUNTRIES.get(language, "")


def find_terminal_region(environment: Mapping[str, str] = os.environ) -> str:
    """Return the country of the terminal's locale, such as ``GB`` for ``en_GB.UTF-8``, or "".

    Of ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` the first that is set counts (POSIX, 8.2).
    """
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "")
    return find_region(re.split("[.@]", locale, maxsplit=1)[0].replace("_", "-"))


def describe_help(region: str, kind: str, language: Literal["english", "chinese"]) -> str:
    """Return the sentence with a country's numbers, or "" for a country that is not in ``helplines.toml``.

    Args:
        region: ISO 3166 code, in any case.
        kind: ``emergency``, the ambulance alone; ``danger``, police and ambulance; else these and the crisis lines.
        language: of the sentence.
    """
    country = _load_helplines().get(region.upper()) if len(region) == 2 else None
    if not country:
        return ""
    words = _load_helplines()["sentences"][language]
    if kind == "emergency":
        numbers = country["ambulance"]
    else:
        services = ("police", "ambulance") if kind == "danger" else ("ambulance", "police")
        both = [number for number in country["police"] if number in country["ambulance"]]
        numbers = both + [
            number + words["brackets"].format(words[service])
            for service in services
            for number in country[service]
            if number not in both
        ]
    sentences = [
        words["country"].format(country=country["chinese" if language == "chinese" else "name"]),
        words["medical" if kind == "emergency" else "danger"].format(emergency=words["or"].join(numbers)),
    ]
    if kind not in ("danger", "emergency"):
        lines = words["semicolon"].join(_describe_line(line, language) for line in country["lines"])
        sentences.append(words["lines"].format(lines=lines))
    return ("" if language == "chinese" else " ").join(sentences)


def _describe_line(line: dict[str, str], language: str) -> str:
    """Return a crisis line's name and number, and in brackets what else there is to know of it."""
    sentences = _load_helplines()["sentences"]
    words, chinese = sentences[language], language == "chinese"
    details = dict(line)
    if chinese and "language" in details:
        details["language"] = sentences["languages"][details["language"]]
    name = details["chinese"] if chinese and "chinese" in details else details["name"]
    said = [words[key].format(details[key]) for key in ("language", "hours", "text", "whatsapp", "chat") if key in line]
    brackets = words["brackets"].format(words["comma"].join(said)) if said else ""
    return " ".join(filter(None, (name, details.get("call", "")))) + brackets


@cache
def _load_helplines() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("helplines.toml").read_text(encoding="utf-8"))
