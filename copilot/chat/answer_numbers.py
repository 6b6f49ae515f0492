"""Find the numbers that a sentence states, in English and Chinese, in digits and in words (see ``find_numbers``)."""

import re
from dataclasses import dataclass, replace

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: value for value, word in enumerate((*_ONES, *_TEENS))} | {
    word: 10 * (value + 2) for value, word in enumerate(_TENS)
}
_HAN = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2, "\u3007": 0, "半": 0.5}
_DENOMINATORS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_UNITS = {
    "percent": (1, r"%|percent\b|per cent\b|percentage points?|个百分点"),
    "Hz": (1, r"hz\b|hertz\b|赫兹|赫"),
    "s": (1, r"seconds?\b|secs?\b|s\b|秒"),
    "min": (60, r"minutes?\b|mins?\b|分钟"),
    "h": (3600, r"hours?\b|hrs?\b|h\b|小时|个小时"),
    "z": (1, r"standard deviations?|sds?\b|个?标准差"),
    "count": (1, r"channels?\b|electrodes?\b|components?\b|个?(?:电极|通道|成分)|导"),
    "other": (
        1,
        r"(?:times )?(?:a|per|each|every) (?:day|week|night|month)|(?:years?|days?|weeks?|people)\b|岁|天|周|年|人|次",
    ),
}
_WORD = (
    rf"(?<![a-z])(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(_ONES[1:])})\b)?|(?:a |one )?hundred|"
    rf"{'|'.join((*_TEENS, *_ONES))})(?![a-z])"
)
_DIGITS = r"(?:(?<![a-z0-9.-])[-+\u2212]|minus |负)?(?<![a-z0-9_.])\d{1,12}(?:,\d{3}){0,3}(?:\.\d{1,9})?(?!\d)"
_NUMBER = rf"(?:{_DIGITS}|{_WORD}|[零\u3007一二两三四五六七八九十百]{{1,6}}(?:点[零一二三四五六七八九]{{1,4}})?)"
_PATTERN = re.compile(
    rf"(?P<part>{_NUMBER})\s?(?:times )?(?:in|out of|of|/|\u2044)\s?(?:every |the |all |these )?(?P<whole>{_NUMBER})"
    rf"(?!\s?(?:electrodes|channels|s\b|sec|hz|\d|emotions))"
    rf"|(?P<han_whole>{_NUMBER})分之(?P<han_part>{_NUMBER})"
    rf"|(?P<tenths>{_NUMBER})\s?成(?P<half>半)?(?![年人功为员长果])"
    r"|(?:(?P<several>a|an|one|two|three|four|five|seven|nine)[ -])?(?<![a-z])(?P<fraction>half|halves|third"
    r"|quarter|fifth|sixth|eighth|tenth)s?(?![a-z])(?! an? (?:hour|minute|day))|(?P<han_half>一半|半数)"
    r"|(?P<fold>twice|double|thrice|triple"
    rf"|{_NUMBER}\s?-?(?:times(?! (?:a|per|each|every|in|out)\b)|fold|x\b|倍))"
    rf"|(?P<number>{_NUMBER})\s?-?(?:{'|'.join(f'(?P<{name}>{words})' for name, (_, words) in _UNITS.items())})"
    r"|(?!(?:(?<=number )|(?<=rank )|(?<=place )|(?<=第))[1-9](?![\d.]))"
    rf"(?P<bare>{_DIGITS}(?!st\b|nd\b|rd\b|th\b)|(?<![a-z])(?:{'|'.join(_TEENS + _TENS)}|hundred)(?![a-z]))"
)
_ABOUT = re.compile(r"(?:about|around|nearly|almost|roughly|approximately|some|大约|约为?|近|将近|差不多)\s?(?:a )?$")
_RANGE = re.compile(r"\s?(?:-|to|of|and|\u2013|~|至|到)\s?")


@dataclass(frozen=True)
class Number:
    """A number in a sentence.

    Attributes:
        amount: in its unit; a share or a ratio is a percentage, minutes and hours are seconds.
        unit: ``percent``, ``Hz``, ``s``, ``z``, ``count`` (of channels), ``times`` (a ratio), ``other``, or empty.
        tolerance: how far the exact number may be from ``amount``, from the digits that are stated.
        start, end: where it stands.
    """

    amount: float
    unit: str
    tolerance: float
    start: int
    end: int


def find_numbers(text: str) -> list[Number]:
    """Return the numbers of a sentence in lower case, in order.

    Words below ten count only with a unit ("two seconds", "one in three"), ordinals and names such as Fp1 do not count.
    """
    found: list[Number] = []
    for match in _PATTERN.finditer(text):
        number = _read_match(match)
        if number is None:
            continue
        if (
            number.unit == "percent"
            and number.amount % 5 == 0
            and _ABOUT.search(text[max(0, match.start() - 20) : match.start()])
        ):
            number = replace(number, tolerance=max(number.tolerance, 2.5))
        if found and not found[-1].unit and _RANGE.fullmatch(text[found[-1].end : number.start]):
            found[-1] = replace(found[-1], unit=number.unit)
        found.append(number)
    return found


def _read_match(match: re.Match[str]) -> Number | None:
    """Return the number of a match of ``_PATTERN``; None for a word that is no number by itself ("third")."""
    place = {"start": match.start(), "end": match.end()}
    part, whole = match["part"] or match["han_part"], match["whole"] or match["han_whole"]
    if part:
        divisor = _read_number(whole)[0]
        if not divisor:
            return None
        tolerance = 0.51 if divisor >= 100 else 5 if divisor == 10 else 2.5
        return Number(100 * _read_number(part)[0] / divisor, "percent", tolerance, **place)
    if match["tenths"]:
        return Number(10 * _read_number(match["tenths"])[0] + 5 * bool(match["half"]), "percent", 5, **place)
    if match["han_half"]:
        return Number(50, "percent", 2.5, **place)
    if match["fraction"]:
        if not match["several"] and not match["fraction"].startswith("hal"):
            return None
        count = _WORDS.get(match["several"] or "one", 1)
        return Number(100 * count / _DENOMINATORS[match["fraction"].removesuffix("s")], "percent", 2.5, **place)
    if match["fold"]:
        folds = {"twice": 2, "double": 2, "thrice": 3, "triple": 3}
        digits = re.match(_NUMBER, match["fold"])
        amount, tolerance = _read_number(digits[0]) if digits else (folds[match["fold"]], 0.05)
        return Number(amount, "times", tolerance, **place)
    amount, tolerance = _read_number(match["number"] or match["bare"])
    unit = next((name for name in _UNITS if match[name]), "")
    factor = _UNITS[unit][0] if unit else 1
    return Number(amount * factor, "s" if factor > 1 else unit, tolerance * factor, **place)


def _read_number(text: str) -> tuple[float, float]:
    """Return a number in digits, English words or Chinese numerals, and half the unit of its last digit."""
    if re.search(r"\d", text):
        digits = re.sub(r"[,+\s]|[a-z]", "", text).replace("\u2212", "-").replace("负", "-")
        value = float(f"-{digits}") if text.startswith("minus") else float(digits)
        return value, 0.51 * 10 ** -len(digits.partition(".")[2])
    if re.search(r"[a-z]", text):
        return (100 if "hundred" in text else sum(_WORDS[word] for word in re.split(r"[ -]", text))), 0.51
    whole, _, decimals = text.partition("点")
    total, digit = 0.0, 0.0
    for character in whole:
        if character in "十百":
            total, digit = total + (digit or 1) * (10 if character == "十" else 100), 0
        else:
            digit = _HAN.get(character, 0)
    fraction = "".join(str(_HAN[character]) for character in decimals)
    return total + digit + (float(f"0.{fraction}") if fraction else 0), 0.51 * 10 ** -len(fraction)
