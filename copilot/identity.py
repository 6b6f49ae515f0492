"""Take out of what somebody writes who they are: nothing of it should reach a prompt, or a record's free text.

Known are the name and the number that the form asks for the record alone; the rest is what looks like a date of birth,
a long number (telephone, insurance, passport) or an e-mail address. Names that nobody told us are not found.
"""

import re

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = (
    r"(?:\d{1,4}\s?[-./年]\s?\d{1,2}\s?[-./月]\s?\d{1,4}日?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\.?\s{_MONTH}\s\d{{2,4}}|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{2,4}})"
)
#: A date, or a year, a few letters after a word for birth, or followed by one (1980年3月12日出生).
_BIRTH = re.compile(
    rf"(?P<word>\b(?:born|birth\w*|dob|d\.o\.b\.?|geboren|geb\.)|出生|生于|生日)(?P<between>\D{{0,16}}?)(?:{_DATE}|(?:19|20)\d\d)"
    rf"|(?:{_DATE}|(?:19|20)\d\d年?)(?P<after>\s?(?:出生|生\b))",
    re.I,
)
_LONG_NUMBER = re.compile(r"\+?\d(?:[ ()/.-]{0,2}\d){6,}")
_MAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.\w+")

NAME, NUMBER, DATE, ADDRESS = "(name)", "(number)", "(date)", "(address)"


def hidden(text: str, *, name: str = "", number: str = "") -> str:
    """The text with who it is about taken out.

    Args:
        text: free text.
        name: the person's; found whole and in parts of three letters or more, in any case of letters, so that of
            somebody called Will no "will" is left.
        number: the person's, of a chart or study.
    """
    if number:
        text = re.sub(_whole(number), NUMBER, text, flags=re.I)
    if name:
        text = re.sub(_whole(name), NAME, text, flags=re.I)
        for part in re.findall(r"[^\W\d_]{3,}", name):
            text = re.sub(_whole(part), NAME, text, flags=re.I)
    text = _BIRTH.sub(_without_date, text)
    text = _LONG_NUMBER.sub(lambda m: m[0] if re.fullmatch(_DATE, m[0], re.I) else NUMBER, text)
    return _MAIL.sub(ADDRESS, text)


def _whole(words: str) -> str:
    """A pattern for these words with any white space between them, not inside longer words (Chinese has no spaces)."""
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    return rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"


def _without_date(found: re.Match[str]) -> str:
    return f"{found['word']}{found['between']}{DATE}" if found["word"] else f"{DATE}{found['after']}"
