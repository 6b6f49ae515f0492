"""How sure a reading is, said by code (see ``answer_from_figures``).

Figures never come out of prose: asked how sure it is, the small model in the box answers fluently and often with
another confidence than the reading's own (measured: always ``clear``), so that this one question is not left to it.
"""

import re

from copilot.emotions import EMOTIONS
from copilot.prompt import LABEL_PREFIX

ASKS = re.compile(
    r"\bhow\b.{0,30}\b(sure|certain|confident|reliable|accurate|likely)\b|\b(are|is)\b.{0,20}\b(sure|certain|correct)\b"
    r"|\b(what|how)\b.{0,30}\b(confidence|certainty|uncertainty)\b|\bcould\b.{0,20}\bwrong\b",
    re.IGNORECASE,
)
LONGEST = 80
"""A longer question asks for more than this."""

SENTENCES = {
    "clear": (
        "The confidence is clear: {emotion} is at least twice as likely as by chance and stands out from the others. "
        "Even then such readings are often wrong."
    ),
    "leaning": (
        "Not very sure. The reading only leans towards {emotion}: it is more likely than by chance, but other emotions "
        "are close behind."
    ),
    "unclear": (
        "Not sure at all. No emotion stands out, and {emotion} is only the first of nine that are about as likely."
    ),
}
CLOSING = "The bars show all nine probabilities. The person's own words count for more, and this is not a diagnosis."


def answer_from_figures(question: str, reading: str) -> str | None:
    """The answer to "how sure are you?", or None for any other question.

    Args:
        question: what the person typed.
        reading: the reading's raw answer, which begins with its emotion and confidence; else the answer is None.
    """
    found = re.match(rf"{LABEL_PREFIX} ({'|'.join(EMOTIONS)})\nConfidence: ({'|'.join(SENTENCES)})\b", reading)
    if not found or len(question) > LONGEST or not ASKS.search(question):
        return None
    emotion = "a neutral state" if found[1] == "neutral" else found[1]
    return f"{SENTENCES[found[2]].format(emotion=emotion)} {CLOSING}"
