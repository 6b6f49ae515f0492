"""Compare a model file's metadata with this program, and calibrate its scores.

The keys are below ``eeg_copilot.`` in the file. Training writes them; ``find_differences`` compares them with this
program, so that no model silently gets prompts other than those it was trained with.
"""

import json
from collections.abc import Iterator, Mapping

from copilot import emotions, prompt
from copilot.eeg import text_encoding
from copilot.eeg.classifier import softmax
from copilot.i18n import N_, Message
from copilot.llm.base import Scores

COMPARED_KEYS = {
    "prompt_version": N_("prompt version"),
    "labels": N_("labels"),
    "codec_parameters": N_("codec parameters"),
    "system": N_("system"),
    "codec": N_("codec"),
}


def expected_values(codec: str) -> dict[str, str]:
    """Return the metadata that this program expects of a model trained on the text encoding ``codec``."""
    return {
        "prompt_version": prompt.PROMPT_VERSION,
        "labels": json.dumps(emotions.EMOTIONS),
        "codec_parameters": json.dumps(text_encoding.PARAMETERS.get(codec)),
        "system": prompt.SYSTEM,
        "codec": codec,
    }


def read_temperature(metadata: Mapping[str, str]) -> float:
    """Return the divisor of label scores that calibrates this model; 1 if the file states none that can be used."""
    try:
        value = float(metadata.get("temperature", "1"))
    except ValueError:
        return 1.0
    return value if 0.01 < value < 100 else 1.0


def calibrate_scores(scores: Scores, metadata: Mapping[str, str]) -> emotions.Probabilities:
    """Return the labels' calibrated probabilities, shape (9,), from their log-probabilities, shape (9,).

    The model's own temperature calibrates them.
    """
    return softmax(scores.logprobs / read_temperature(metadata))


def find_differences(metadata: Mapping[str, str], decoder_sha256: str = "") -> Iterator[Message]:
    """Yield a sentence for each way in which the model was trained with something else than this program uses.

    Args:
        metadata: of the model file, without the prefix.
        decoder_sha256: of the classifier's file in use, source of evidence and patterns; empty if there is
            no file.
    """
    for key, value in expected_values(metadata.get("codec", text_encoding.DEFAULT)).items():
        if metadata.get(key, value) != value:
            yield N_(
                "This model was trained with another {what} than this program uses; do not rely on it.",
                what=COMPARED_KEYS[key],
            )
    if decoder_sha256 and metadata.get("decoder_sha256", decoder_sha256) != decoder_sha256:
        yield N_("This model was trained with another decoder than the one in use; do not rely on it.")
