"""Measure an analysis on this machine: ``python -m copilot.bench`` or ``make bench``.

The recording is three minutes of 19 simulated channels at 500 Hz, analysed three times with the model of the settings.
The first run also includes the imports and the reading of the whole prompt.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from copilot.eeg.classifier import Classifier
from copilot.eeg.simulate import simulate
from copilot.events import ResultReady
from copilot.llm import open_engine
from copilot.person import Person
from copilot.pipeline import analyse
from copilot.settings import Settings

RUNS = 3


def main() -> int:
    """Print one line per run."""
    settings = Settings.from_environment()
    engine, classifier = open_engine(settings), Classifier.load(settings.decoder)
    recording = simulate(seconds=180, sfreq=500)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "simulated.npz"
        np.savez(path, data=recording.data, sfreq=recording.sfreq, channels=recording.channels)
        for number in range(1, RUNS + 1):
            person = replace(Person(gender="female", age=20), complaint=f"run {number}")
            started = time.perf_counter()
            for event in analyse([path], person, engine=engine, classifier=classifier, settings=settings):
                if isinstance(event, ResultReady) and not event.complete:
                    probabilities_s = time.perf_counter() - started
                elif isinstance(event, ResultReady):
                    t = event.result.timings
                    print(
                        f"run {number}: cleaned {t['clean_s']:.2f} s, probabilities {probabilities_s:.2f} s, "
                        f"first token {t['first_token_s']:.2f} s, all {t['total_s']:.2f} s"
                    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
