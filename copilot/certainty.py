"""How sure a reading is, said by code (see ``answer_from_figures``).

Figures never come out of prose: asked how sure it is, the small model in the box answers fluently and often with
another confidence than the reading's own (measured: always ``clear``), so that this one question is not left to it.
"""

import re

from copilot.emotions import EMOTIONS
from copilot.i18n import N_, Translator, language_of
from copilot.i18n.terms import term
from copilot.prompt import LABEL_PREFIX

HOW_SURE = {
    "clear": N_(
        "The confidence is clear: {emotion} is at least twice as likely as by chance and stands out from the others. "
        "Even then such readings are often wrong."
    ),
    "leaning": N_(
        "Not very sure. The reading only leans towards {emotion}: it is more likely than by chance, but other emotions "
        "are close behind."
    ),
    "unclear": N_(
        "Not sure at all. No emotion stands out, and {emotion} is only the first of nine that are about as likely."
    ),
}
HOW_SURE_POOR = N_(
    "Not sure at all. The recording is poor, so that what was read from it is hardly more than a guess: record again "
    "if you can."
)
HOW_SURE_THEN = N_(
    "{answer} The bars show all nine probabilities. The person's own words count for more, and this is not a diagnosis."
)


ASKS = re.compile(
    r"\bhow\b.{0,30}\b(sure|certain|confident|reliable|accurate|likely)\b|\b(are|is)\b.{0,20}\b(sure|certain|correct)\b"
    r"|\b(what|how)\b.{0,30}\b(confidence|certainty|uncertainty)\b"
    r"|\b(can|could|may|might|is)\b.{0,20}\b(wrong|mistaken|a mistake)\b|\b(can|should) i (trust|believe|rely on)\b"
    r"|多(大|高)?的?(确定|把握|肯定|可信|可靠|准|信心)|(确定|肯定|可信|可靠|准确?|靠谱|有把握)(吗|么)"
    r"|(确定|可信|可靠|准确?|靠谱)不(确定|可信|可靠|准|靠谱)|(置信|可信|确信|确定)(度|程度)|准确(率|性)|(会|可能|是)不?(会|能|是)?.{0,4}((?<!不)错(?!过)|不准)",
    re.IGNORECASE,
)
LONGEST = 80
"""A longer question asks for more than this."""


def answer_from_figures(question: str, reading: str, trust: str = "good") -> str | None:
    """The answer to "how sure are you?" in the language of the question, or None for any other question.

    Args:
        question: what the person typed.
        reading: the reading's raw answer, which begins with its emotion and confidence; else the answer is None.
        trust: the recording's quality.
    """
    found = re.match(rf"{LABEL_PREFIX} ({'|'.join(EMOTIONS)})\nConfidence: ({'|'.join(HOW_SURE)})\b", reading)
    if not found or len(question) > LONGEST or not ASKS.search(question):
        return None
    say = Translator(language_of(question))
    if trust == "poor":
        return say(HOW_SURE_THEN, answer=say(HOW_SURE_POOR))
    emotion = N_("a neutral state") if found[1] == "neutral" else term("emotion", found[1])
    return say(HOW_SURE_THEN, answer=say(HOW_SURE[found[2]], emotion=emotion))
