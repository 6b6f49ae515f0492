"""Make the facts about a simulated result."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from copilot.eeg.classifier import Classifier
from copilot.eeg.emotion_classifier import EmotionClassifier
from copilot.eeg.features import differential_entropy
from copilot.eeg.preprocessing.clean import clean
from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.simulate import simulate
from copilot.eeg.states import StateModels, find_states
from copilot.eeg.types import Recording
from copilot.facts import Facts, collect_facts
from copilot.llm.base import ModelInfo
from copilot.person import Person
from copilot.result import Result
from copilot.settings import Settings

#: In the order of ``EMOTIONS``: anger disgust fear sadness neutral amusement inspiration joy tenderness.
JOY = (0.05, 0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.34, 0.10)
EQUAL = (1 / 9,) * 9


@cache
def _clean_recording() -> tuple[Recording, Quality]:
    return clean(simulate(seconds=40, alpha_uv=14, bad_channels={"T7": "flat"}, seed=1))


def make_facts(shares: Sequence[float] = JOY, situation: str = "faced-films") -> Facts:
    """Make the facts about 40 s with closed eyes and a flat electrode T7, compared with other people."""
    recording, quality = _clean_recording()
    settings, emotion_classifier = Settings(protocol=situation), EmotionClassifier.load()
    entropy = differential_entropy(recording, quality.clean)
    texts = dict.fromkeys(("assessment", "raw", "model_sha256", "prompt_sha256"), "")
    result = Result(
        np.array(shares),
        "both",
        suggestions=(),
        timings={"clean_s": 1.0, "total_s": 4.0},
        model="fake",
        codec="patterns",
        situation=situation,
        informative=situation == "faced-films",
        reliability="" if situation == "faced-films" else emotion_classifier.describe_reliability(0),
        states=find_states(recording, "good", [entropy], StateModels.load()),
        **texts,
    )
    return collect_facts(
        Person("female", 30, complaint="sleeps badly"),
        recording,
        quality,
        result,
        entropies=[entropy],
        population=Classifier.load(settings.decoder).population,
        emotion_classifier=emotion_classifier,
        model=ModelInfo("fake"),
        settings=settings,
    )
