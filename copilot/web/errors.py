"""What went wrong, in one plain sentence in the visitor's language (see ``explain``)."""

import logging
import traceback

from copilot.eeg.classifier import DecoderError
from copilot.eeg.reader import RecordingError
from copilot.i18n import Voice, english
from copilot.llm.base import EngineError
from copilot.person import PersonError
from copilot.record.model import RecordError
from copilot.record.storage.store import StoreError
from copilot.settings import SettingsError
from copilot.web.queue import LineFullError


class ConsentError(ValueError):
    """The notice has not been agreed to."""


#: Errors whose message is already one plain sentence, and the part of the page next to where they come from.
PLAIN: dict[type[Exception], str] = {
    ConsentError: "consent_problem",
    PersonError: "person_problem",
    RecordingError: "recording_problem",
    EngineError: "progress",
    DecoderError: "progress",
    SettingsError: "progress",
    RecordError: "progress",
    StoreError: "progress",
    LineFullError: "progress",
}

log = logging.getLogger(__name__)


def explain(say: Voice, error: Exception, unforeseen: str = english.FAILED) -> tuple[str, str]:
    """Where on the page an error belongs, and its sentence; ``unforeseen`` is that of one nobody thought of.

    The log gets no message: it could quote the person.
    """
    for kind, place in PLAIN.items():
        if isinstance(error, kind):
            return place, say(error.args[0])
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return "progress", say(unforeseen)
