"""Remove identifying details from free text, so that none of them reach a prompt, or an export without a name.

Known are the name and the number that the form asks for the record alone. The rest is what looks like a date of birth,
a long number (telephone, insurance, passport) or an e-mail address. Names that were not given are not found. The time
is proportional to the length of the text, because every pattern is bounded.
"""

import re
import unicodedata
from collections.abc import Callable

NAME, NUMBER, DATE, ADDRESS = "(name)", "(number)", "(date)", "(address)"

_MONTH = (
    r"(?:jan|ene|feb|f[eé]v|m[aä]r|mrz|avr|abr|apr|ma[iyj]|jun|jui|jul|aug|ago|ao[uû]|se[pt]|o[ck]t|nov|d[eéi][czk])"
    r"[a-zäéèû]{0,8}\.?"
)
_NUMBERS = "[〇零一二三四五六七八九十]"
_DATE = (
    r"(?:\d{1,4}\s?[-./年]\s?\d{1,2}\s?[-./月](?:\s?\d{1,4}日?)?"
    rf"|(?:the\s)?\d{{1,2}}(?:st|nd|rd|th|er)?\.?\s(?:of\s|de\s)?{_MONTH},?\s(?:de\s)?['\u2019]?\d{{2,4}}"
    rf"|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s['\u2019]?\d{{2,4}}|{_NUMBERS}{{4}}年(?:{_NUMBERS}{{1,3}}月)?(?:{_NUMBERS}{{1,3}}日)?)"
)
_DAY = (
    rf"(?:\d{{1,2}}月\d{{1,2}}日?|{_NUMBERS}{{1,3}}月{_NUMBERS}{{1,3}}日|{_MONTH}\s\d{{1,2}}\b|\d{{1,2}}\.?\s{_MONTH})"
)
_YEAR = r"(?:(?:19|20)\d\d|['\u2019]\d\d)(?!\d)"
#: A date a few words after a word for birth, a day or a year directly after it, or a date directly before (1980年出生).
_BIRTH = re.compile(
    r"(?P<word>\b(?:born|birth\w{0,6}|dob|d\.o\.b\.?|geboren|geburts\w{1,8}|geb\.|n[eé]e?\s(?=le\b|en\b|\d)|naissance"
    r"|nacid[oa]|nacimiento|nat[oa]\s(?=il\b|nel\b)|b\.(?=\s?\d))|出生|生于|生日|\*)"
    rf"(?P<between>\D{{0,40}}?(?={_DATE})|\D{{0,8}}?(?={_YEAR}|{_DAY}))(?:{_DATE}|{_DAY}|{_YEAR})"
    rf"|(?:{_DATE}|(?:19|20)\d\d年?)(?P<after>\s?(?:出生|生(?![\u4e00-\u9fff])))",
    re.I,
)
_LONG_NUMBER = re.compile(r"\+?\d(?:[ ()/.\-\u2013\u2014\u00b7_]{0,3}\d){6,}")
_DAY_MONTH_YEAR = re.compile(r"(\d{1,4}) ?([-./]) ?(\d{1,2}) ?\2 ?(\d{1,4})(?: \d{1,2})?")
_MAIL = re.compile(
    r"(?<![^\s@<>])[^\s@<>]{1,64}@[^\s@<>]{1,255}\.\w{1,63}"
    r"|(?<![\w.+-])[\w.+-]{1,64}\s?[\[(]\s?at\s?[\])]\s?[\w.-]{1,255}",
    re.I,
)
_LATIN = "a-z\u00df-\u024f"
_TYPED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
#: What may be between the parts of one name: Rosa_Lind, Rosa M. Lind.
_BETWEEN_NAMES = r"[\s_.\-]{0,3}(?:[a-z]\.?[\s_\-]{1,2})?"


def remove_identity(text: str, *, name: str = "", number: str = "") -> str:
    """Return the text without identifying details.

    Args:
        text: free text.
        name: the person's; found whole, in parts and with its parts joined (RosaLind, LIND_ROSA), in any case, in
            full-width letters and without accents: for a person called Will every "will" is removed. Parts of two
            letters are found only as they are written; of a Chinese name also the given name.
        number: the person's, of a chart or study, and its digits, with any separators. Fewer than three characters
            are ignored, since too many other numbers contain them.
    """
    text = _MAIL.sub(ADDRESS, text)
    if len(number) > 2:
        folded = _fold_characters(number)
        digits = [run for run in re.findall(r"\d+", folded) if len(run) > 3]
        for run in ("".join(filter(str.isalnum, folded)), *digits):
            if run:
                pattern = r"[\s./_\-]{0,2}".join(map(re.escape, run))
                text = _replace_matches(text, rf"(?<![a-z0-9]){pattern}(?![a-z0-9])", NUMBER)
    if parts := _split_name(name):
        # Also without umlauts: Müller, Mueller
        spellings = {*parts, *(part.translate(_TYPED) for part in parts)}
        words = "|".join(re.escape(_fold_characters(word)) for word in sorted(spellings, key=len, reverse=True))
        run = rf"(?<![{_LATIN}])(?:{words})(?:{_BETWEEN_NAMES}(?:{words})){{1,8}}(?![{_LATIN}])"
        text = _replace_matches(text, run, NAME)
        single = rf"(?<![{_LATIN}])(?:{words})(?![{_LATIN}])"  # two letters have to be written as in the name
        text = _replace_matches(text, single, NAME, lambda found: len(found) > 2 or found in parts)
    text = _BIRTH.sub(_replace_birth_date, text)
    return _LONG_NUMBER.sub(lambda found: found[0] if _is_date(found[0]) else NUMBER, text)


def _replace_matches(text: str, pattern: str, word: str, meant: Callable[[str], bool] = lambda _: True) -> str:
    """Replace what matches ``pattern`` once case, width and accents are removed.

    Args:
        text: where to look.
        pattern: for folded text.
        word: the replacement.
        meant: whether to replace a match, given as it is written.
    """
    pieces, end = [], 0
    for found in re.finditer(pattern, _fold_characters(text)):
        if meant(text[found.start() : found.end()]):
            pieces += [text[end : found.start()], word]
            end = found.end()
    return "".join([*pieces, text[end:]])


def _fold_characters(text: str) -> str:
    """Return one lower-case letter without accent or width for each character, so that positions stay the same."""
    return "".join(unicodedata.normalize("NFKD", character)[:1].lower()[:1] or character for character in text)


def _split_name(name: str) -> list[str]:
    """Return the names in a name, longest first."""
    parts = re.findall(r"[^\W\d_]{2,}", name)
    given = [part[-2:] for part in parts if re.fullmatch(r"[\u4e00-\u9fff]{3,4}", part)]
    return sorted({*parts, *given}, key=len, reverse=True)


def _is_date(text: str) -> bool:
    """Return whether a run of digits can only be a date: day and month in range, a year of this century or the last."""
    found = _DAY_MONTH_YEAR.fullmatch(text)
    if not found:
        return False
    first, middle, last = (found[place] for place in (1, 3, 4))
    year, day = (first, last) if len(first) == 4 else (last, first)
    in_range = 1 <= int(day) <= 31 and 1 <= int(middle) <= 31 and min(int(day), int(middle)) <= 12
    return len(day) <= 2 and in_range and bool(re.fullmatch(r"(?:19|20)?\d\d", year))


def _replace_birth_date(found: re.Match[str]) -> str:
    """Return the match with its date replaced and its word for birth kept."""
    return f"{found['word']}{found['between']}{DATE}" if found["word"] else f"{DATE}{found['after']}"
