"""State every true thing about one result, each as a ``Fact``: the chat answers with these.

``emotion`` states the probabilities and what they are worth, ``signal`` the recording, the person's state and the
rhythms, ``program`` what was typed, the model, the prompt and where data go.
"""

from collections.abc import Sequence

from copilot.eeg.emotion_classifier import EmotionClassifier
from copilot.eeg.features import Array, Normal
from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.types import Recording
from copilot.facts.emotion import find_reason, list_emotion_facts, list_explanations
from copilot.facts.program import list_program_facts
from copilot.facts.signal import list_recording_facts, list_rhythms, list_state_facts
from copilot.facts.types import Fact, Facts
from copilot.llm.base import ModelInfo
from copilot.person import Person
from copilot.result import Result
from copilot.settings import Settings

__all__ = ["Fact", "Facts", "collect_facts"]


def collect_facts(
    person: Person,
    recording: Recording,
    quality: Quality,
    result: Result,
    *,
    entropies: Sequence[Array],
    population: Normal,
    emotion_classifier: EmotionClassifier,
    model: ModelInfo,
    settings: Settings,
) -> Facts:
    """Collect the facts about one complete result.

    Args:
        person: what the form asked.
        recording: the cleaned recording.
        quality: quality of the recording, from cleaning.
        result: the complete result.
        entropies: differential entropy of the recording, then of other recordings of the person, shape (30, seconds,
            5) each, NaN where absent or not usable.
        population: the normal features of other people, for a recording without others of the person.
        emotion_classifier: its statistics say what the recording can be compared with.
        model: the language model.
        settings: of this run.
    """
    reason = find_reason(result, entropies, emotion_classifier)
    return Facts(
        (
            *list_emotion_facts(result, reason),
            *list_state_facts(result),
            *list_recording_facts(recording, quality),
            *list_rhythms(recording, quality, entropies, population, emotion_classifier),
            *list_explanations(result, reason, others=len(entropies) - 1),
            *list_program_facts(person, result, model, settings),
        )
    )
