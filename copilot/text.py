"""Normalise text from outside, and write numbers as text."""

import re
import unicodedata

#: Chinese characters (Unicode 16: CJK unified ideographs and extension A), for a set in a regular expression.
HAN = "\u3400-\u4dbf\u4e00-\u9fff"


def normalise_line(text: str) -> str:
    """Return text as one line in Unicode's composed form (NFC), without control characters, with white space folded."""
    printable = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text or ""))
    return re.sub(r"\s+", " ", printable).strip()


def is_chinese(text: str) -> bool:
    """Return whether a text contains a Chinese character."""
    return bool(re.search(f"[{HAN}]", text))


def percent(share: float) -> str:
    """Return a share from 0 to 1 as it is shown: ``34.2 %``."""
    return f"{100 * share:.1f} %"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or two where the first ends in a colon; its type if it is empty."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])
