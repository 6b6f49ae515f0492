"""The events of one analysis (see ``copilot.pipeline.analyse``)."""

from dataclasses import dataclass

from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.types import Recording
from copilot.facts import Facts
from copilot.llm.base import Message, PromptProgress, Token, Waiting
from copilot.record.model import Record
from copilot.result import Result


@dataclass(frozen=True)
class StageBegun:
    """A stage starts; ``estimate_s`` is how long it should take, seconds."""

    stage: str
    estimate_s: float


@dataclass(frozen=True)
class StageProgress:
    """``fraction`` (0 to 1) of a stage is done; ``detail`` says what is going on now, in a few words."""

    stage: str
    fraction: float
    detail: str = ""


@dataclass(frozen=True)
class SignalReady:
    """The cleaned signal and its quality, before any AI text. ``raw`` is the signal as read."""

    raw: Recording
    cleaned: Recording
    quality: Quality


@dataclass(frozen=True)
class PromptReady:
    """The messages the model reads, the codec's name and the EEG text in them (of the last segment, if several)."""

    messages: list[Message]
    codec: str
    eeg_text: str


@dataclass(frozen=True)
class ResultReady:
    """A result: once with probabilities and no prose, once complete."""

    result: Result
    complete: bool


@dataclass(frozen=True)
class RecordReady:
    """The draft record, and the facts about the result that it states; the last event."""

    record: Record
    facts: Facts


Event = (
    StageBegun
    | StageProgress
    | SignalReady
    | PromptReady
    | Waiting
    | PromptProgress
    | Token
    | ResultReady
    | RecordReady
)
