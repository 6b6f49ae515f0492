"""Features in the layout of FACED's, with emotions planted in them: made, not measured."""

from pathlib import Path

import numpy as np

from copilot.eeg.features import BANDS_HZ, ELECTRODES
from copilot.emotions import EMOTIONS
from copilot.training.faced import Faced

CLIPS = [k for k in range(9) for _ in range(4 if k == 4 else 3)]


def simulated_faced(people: int, seed: int, strength: float = 0.1) -> Faced:
    """Each emotion has a fixed pattern over electrodes and bands; each person has levels of their own."""
    patterns = np.random.default_rng(42).normal(0, strength, (len(EMOTIONS), 30, 1, 5))
    rng = np.random.default_rng(seed)
    levels = rng.normal(2.2, 0.4, (people, 1, 30, 1, 5))
    noise = rng.normal(0, 0.5, (people, len(CLIPS), 30, 30, 5))
    de = levels + patterns[CLIPS][None] + noise
    return Faced(de.astype(np.float32), np.arange(people) + 100 * seed, np.array(CLIPS))


def write_features(path: Path, faced: Faced) -> Path:
    """Write them as the evaluation reads them, mastoids and all."""
    people, clips, _, seconds, bands = faced.de.shape
    mastoids = np.zeros((people, clips, 2, seconds, bands), np.float32)
    np.savez(
        path,
        DE=np.concatenate([faced.de, mastoids], axis=2),
        subject=faced.subjects,
        channels=[*ELECTRODES, "A2", "A1"],
        bands_hz=list(BANDS_HZ.values()),
        clip_emotion=[EMOTIONS[k].capitalize() for k in faced.emotions],
    )
    return path
