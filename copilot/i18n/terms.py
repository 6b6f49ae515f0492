"""Messages for the values of closed lists, such as emotions and genders: the program computes with the value."""

from copilot.i18n import NP_, Message

_TERMS: dict[str, dict[str, Message]] = {
    "emotion": {
        "anger": NP_("emotion", "anger"),
        "disgust": NP_("emotion", "disgust"),
        "fear": NP_("emotion", "fear"),
        "sadness": NP_("emotion", "sadness"),
        "neutral": NP_("emotion", "neutral"),
        "amusement": NP_("emotion", "amusement"),
        "inspiration": NP_("emotion", "inspiration"),
        "joy": NP_("emotion", "joy"),
        "tenderness": NP_("emotion", "tenderness"),
    },
    "class": {
        "negative": NP_("class of emotions", "negative"),
        "neutral": NP_("class of emotions", "neutral"),
        "positive": NP_("class of emotions", "positive"),
    },
    "confidence": {
        "clear": NP_("confidence", "clear"),
        "leaning": NP_("confidence", "leaning"),
        "unclear": NP_("confidence", "unclear"),
    },
    "gender": {
        "female": NP_("gender", "female"),
        "male": NP_("gender", "male"),
        "other": NP_("gender", "other"),
        "unspecified": NP_("gender", "unspecified"),
    },
    "quality": {
        "good": NP_("quality of a recording", "good"),
        "fair": NP_("quality of a recording", "fair"),
        "poor": NP_("quality of a recording", "poor"),
    },
    "channel": {
        "flat": NP_("state of a channel", "flat"),
        "railed": NP_("state of a channel", "railed"),
        "noisy": NP_("state of a channel", "noisy"),
        "interpolated": NP_("state of a channel", "interpolated"),
        "joined": NP_("state of a channel", "joined"),
    },
    "component": {
        "ocular": NP_("component of a signal", "ocular"),
        "muscle": NP_("component of a signal", "muscle"),
    },
}


def term(kind: str, value: str) -> Message:
    """Return the message for a value of a closed list, such as ``term("emotion", "joy")``.

    Raises:
        KeyError: no such list or value.
    """
    return _TERMS[kind][value]
