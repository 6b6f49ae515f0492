"""Text from outside as one printable line."""

import re
import unicodedata


def normalise_line(text: str) -> str:
    """Return text as one line in Unicode's composed form (NFC): no control characters, white space folded."""
    printable = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text or ""))
    return re.sub(r"\s+", " ", printable).strip()
