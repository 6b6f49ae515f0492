"""Explain an error in one plain sentence in the visitor's language (see ``explain``)."""

import logging
import traceback

from copilot.eeg.types import RecordingError
from copilot.errors import CopilotError
from copilot.i18n import N_, Translator
from copilot.person import PersonError

FAILED = N_("Something went wrong inside the copilot. Nothing was kept; please try again or try another file.")


class ConsentError(CopilotError, ValueError):
    """The notice has not been agreed to."""


#: Errors that belong to one part of the page; all others are shown in the progress line.
PLACES: dict[type[CopilotError], str] = {
    ConsentError: "consent_problem",
    PersonError: "person_problem",
    RecordingError: "recording_problem",
}

log = logging.getLogger(__name__)


def explain(translate: Translator, error: Exception, unforeseen: str = FAILED) -> tuple[str, str]:
    """Return the part of the page where an error belongs, and its sentence.

    The log gets no message: it could quote the person.

    Args:
        translate: into the visitor's language.
        error: what was raised.
        unforeseen: the sentence for an error that is no ``CopilotError``.
    """
    if isinstance(error, CopilotError):
        return next((place for kind, place in PLACES.items() if isinstance(error, kind)), "progress"), translate(
            error.args[0]
        )
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return "progress", translate(unforeseen)
