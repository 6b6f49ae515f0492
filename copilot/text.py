"""Normalise text from outside."""

import re
import unicodedata


def normalise_line(text: str) -> str:
    """Return text as one line in Unicode's composed form (NFC), without control characters, with white space folded."""
    printable = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text or ""))
    return re.sub(r"\s+", " ", printable).strip()
