"""What a model file says about how to feed it, under ``eeg_copilot.`` in its metadata.

Training writes these keys; ``warnings`` compares them with what this program does, so that no file is fed wrongly in
silence.
"""

import json
from collections.abc import Iterator, Mapping

from copilot import emotions, prompt
from copilot.eeg import text_encoding
from copilot.eeg.classifier import softmax
from copilot.i18n import N_, Sentence
from copilot.llm.base import Scores

COMPARED_KEYS = {
    "prompt_version": N_("prompt version"),
    "labels": N_("labels"),
    "codec_parameters": N_("codec parameters"),
    "system": N_("system"),
    "codec": N_("codec"),
}


def expected_values(codec: str) -> dict[str, str]:
    """Key -> value as this program feeds a model of this codec."""
    return {
        "prompt_version": prompt.PROMPT_VERSION,
        "labels": json.dumps(emotions.EMOTIONS),
        "codec_parameters": json.dumps(text_encoding.PARAMETERS.get(codec)),
        "system": prompt.SYSTEM,
        "codec": codec,
    }


def read_temperature(metadata: Mapping[str, str]) -> float:
    """The divisor of label scores that calibrates this model; 1 where the file states none that can be used."""
    try:
        value = float(metadata.get("temperature", "1"))
    except ValueError:
        return 1.0
    return value if 0.01 < value < 100 else 1.0


def calibrate_scores(scores: Scores, metadata: Mapping[str, str]) -> emotions.Probabilities:
    """Calibrated probabilities of the labels from their log-probabilities, at the model's own temperature."""
    return softmax(scores.logprobs / read_temperature(metadata))


def find_differences(metadata: Mapping[str, str], decoder_sha256: str = "") -> Iterator[Sentence]:
    """A sentence for each thing in which the file was trained otherwise than this program feeds it.

    Args:
        metadata: the model file's, without the prefix.
        decoder_sha256: of the decoder in use, which writes the evidence and the patterns; empty where there is no file.
    """
    for key, value in expected_values(metadata.get("codec", text_encoding.DEFAULT)).items():
        if metadata.get(key, value) != value:
            yield N_(
                "This model was trained with another {what} than this program uses; do not rely on it.",
                what=COMPARED_KEYS[key],
            )
    if decoder_sha256 and metadata.get("decoder_sha256", decoder_sha256) != decoder_sha256:
        yield N_("This model was trained with another decoder than the one in use; do not rely on it.")
