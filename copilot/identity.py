"""Take out of what somebody writes who they are: nothing of it should reach a prompt, or a record's free text.

Known are the name and the number that the form asks for the record alone; the rest is what looks like a date of birth,
a long number (telephone, insurance, passport) or an e-mail address. Names that nobody told us are not found.
"""

import re

_MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*\.?"
_DATE = (
    r"(?:\d{1,4}\s?[-./年]\s?\d{1,2}\s?[-./月](?:\s?\d{1,4}日?)?"
    rf"|(?:the\s)?\d{{1,2}}(?:st|nd|rd|th)?\.?\s(?:of\s)?{_MONTH},?\s\d{{2,4}}|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{2,4}})"
)
#: A date not far behind a word for birth, or a year right behind it, or either right before one (1980年3月12日出生).
_BIRTH = re.compile(
    r"(?P<word>\b(?:born|birth\w*|dob|d\.o\.b\.?|geboren|geb\.)|出生|生于|生日)"
    rf"(?P<between>\D{{0,40}}?(?={_DATE})|\D{{0,8}}?(?=(?:19|20)\d\d))(?:{_DATE}|(?:19|20)\d\d)"
    rf"|(?:{_DATE}|(?:19|20)\d\d年?)(?P<after>\s?(?:出生|生(?![\u4e00-\u9fff])))",
    re.I,
)
_LONG_NUMBER = re.compile(r"\+?\d(?:[ ()/.-]{0,2}\d){6,}")
_MAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.\w+")

NAME, NUMBER, DATE, ADDRESS = "(name)", "(number)", "(date)", "(address)"


def hidden(text: str, *, name: str = "", number: str = "") -> str:
    """The text with who it is about taken out.

    Args:
        text: free text.
        name: the person's; found whole and in its parts, in any case of letters, so that of somebody called Will no
            "will" is left. Parts of two letters are found as they are written; of a Chinese name also the given name.
        number: the person's, of a chart or study; one of fewer than three characters is in too many other numbers.
    """
    if len(number) > 2:
        text = re.sub(_whole(number), NUMBER, text, flags=re.I)
    if name:
        text = re.sub(_whole(name), NAME, text, flags=re.I)
        for part in _parts(name):
            text = re.sub(_whole(part), NAME, text, flags=re.I if len(part) > 2 else 0)
    text = _BIRTH.sub(_without_date, text)
    text = _LONG_NUMBER.sub(lambda m: m[0] if re.fullmatch(_DATE, m[0], re.I) else NUMBER, text)
    return _MAIL.sub(ADDRESS, text)


def _parts(name: str) -> list[str]:
    """Names in a name, longest first."""
    parts = re.findall(r"[^\W\d_]{2,}", name)
    given = [part[-2:] for part in parts if re.fullmatch(r"[\u4e00-\u9fff]{3,4}", part)]
    return sorted({*parts, *given}, key=len, reverse=True)


def _whole(words: str) -> str:
    """A pattern for these words with any white space between them, not inside longer words (Chinese has no spaces)."""
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    return rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"


def _without_date(found: re.Match[str]) -> str:
    return f"{found['word']}{found['between']}{DATE}" if found["word"] else f"{DATE}{found['after']}"
