"""Write the assessment of a reading that singles out no emotion: by code, since there is nothing for a model to say."""

from copilot.i18n import N_, Message, Translator
from copilot.result import Result

POOR = N_("The recording is too poor to say anything about emotion.")
ASLEEP = N_("The person slept or was drowsy for most of this recording, and nothing can be said about emotion then.")
ALONE = N_(
    "This EEG does not single out an emotion. There is no other recording of this person to compare it with, and from "
    "one recording alone nothing can be told about emotion."
)
SHORT = N_(
    "This EEG does not single out an emotion: it or another recording of the person has less than 20 usable seconds."
)
MODEL_ALONE = N_(
    "No emotion is named: what the language model reads by itself is no better than guessing, except for FACED's films."
)
COMPARED = N_("This EEG does not single out an emotion, although it was compared with others of the same person.")
CLOSING = N_(
    "The person's own words tell more than this EEG. This is the draft of a research tool and not a diagnosis."
)

RECORD_AGAIN = N_("Check that every electrode touches the skin, and record again.")
RECORD_AWAKE = N_("Record while the person is awake.")
RECORD_REST = N_(
    "Record two or three minutes of rest with the same device, and give them as another recording of the same person."
)
RECORD_LONGER = N_("Record at least half a minute, better two, while the person sits still.")
USE_EVIDENCE = N_("Let the classifier of band powers give the probabilities (EEG_COPILOT_READOUT=both).")
RECORD_MORE = N_("More recordings of the same person, in several situations, make the comparison better.")
ASK = N_("Ask how the person feels, and write it down beside the recording.")


#: What is said and what would help, by the reason (``copilot.facts.emotion.find_reason``); otherwise the last.
REASONS: dict[str, tuple[Message, Message]] = {
    "poor": (POOR, RECORD_AGAIN),
    "asleep": (ASLEEP, RECORD_AWAKE),
    "unlikely": (MODEL_ALONE, USE_EVIDENCE),
    "alone": (ALONE, RECORD_REST),
    "short": (SHORT, RECORD_LONGER),
    "compared": (COMPARED, RECORD_MORE),
}


def write_without_emotion(result: Result, reason: str, translate: Translator) -> tuple[str, tuple[str, ...]]:
    """Write assessment and suggestions of a result that names no emotion.

    Args:
        result: without an assessment.
        reason: why none is named.
        translate: into the language of the reader.
    """
    why, help_ = REASONS.get(reason, REASONS["compared"])
    sentences = (why, *(state.sentence for state in result.states if state.finding != "unclear"), CLOSING)
    return translate.join(sentences), (translate(help_), translate(ASK))
