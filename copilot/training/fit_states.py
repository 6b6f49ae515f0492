"""Fit and measure the states of ``copilot.eeg.states``: ``python -m copilot.training.fit_states``.

Every figure is measured on people that the regression was not fitted on:

- eyes: FACED's clips (Chen et al. 2023), watched with open eyes, and EEGMAT's rest (Zyma et al. 2019) with closed
  eyes; the limits are fixed, not fitted;
- effort: EEGMAT's minutes of rest against its minute of mental arithmetic, compared with the first 90 s of rest;
- sleep: staged nights of Sleep-EDF (Kemp et al. 2000) as band powers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from copilot.command_line import Parser, command
from copilot.eeg import states
from copilot.eeg.features import Array
from copilot.eeg.states import Floats, Logistic
from copilot.files import write_atomically
from copilot.training import faced
from copilot.training.faced import BAD_SUBJECTS, CorpusError

#: Seconds of rest that effort is compared with, and seconds of a piece that is fitted and measured.
REST_S, PIECE_S = 90, 30
#: Inverse strength of the regularisation.
EFFORT_C, SLEEP_C = 0.3, 1.0
#: Waking epochs kept before and after a night's sleep; the recordings have many hours more.
WAKE_EPOCHS = 60
#: The features' authors added this to each power before the logarithm.
POWER_OFFSET = 1e-10
#: Columns of the band powers of both derivations among a night's features.
POWER_COLUMNS = ((0, 1, 2, 3), (9, 10, 11, 12))
#: Stage W, N1, N2, N3, REM -> awake, N1, asleep.
STAGE_CLASSES = np.array([0, 1, 2, 2, 2])

Ints = npt.NDArray[np.int64]


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, measure and write all states."""
    parser = Parser(prog="python -m copilot.training.fit_states", description=__doc__)
    parser.add_argument("--faced", type=Path, required=True, help="FACED's features (npz)")
    parser.add_argument("--eegmat", type=Path, required=True, help="EEGMAT's features (npz)")
    parser.add_argument("--sleep", type=Path, required=True, help="folder with staged nights as features (npz)")
    parser.add_argument("--out", type=Path, default=states.MODELS, help="file to write (default: the product's own)")
    options = parser.parse_args(arguments)
    try:
        rest_and_task = read_rest_and_task(options.eegmat)
        nights = read_nights(options.sleep)
    except (OSError, KeyError, ValueError) as error:
        raise CorpusError(f"The features cannot be read: {error}") from error
    effort, measured_effort = fit_effort(rest_and_task)
    sleep, measured_sleep = fit_sleep(nights)
    open_eyes = faced.load(options.faced)
    clips = (
        clip for s, de in zip(open_eyes.subjects, open_eyes.de, strict=True) if s not in BAD_SUBJECTS for clip in de
    )
    closed = (piece for rest, _ in rest_and_task.values() for piece in _cut_pieces(rest))
    measured = {
        "eyes": measure_eyes(
            clips, closed, people=sum(s not in BAD_SUBJECTS for s in open_eyes.subjects) + len(rest_and_task)
        ),
        "effort": measured_effort,
        "sleep": measured_sleep,
    }
    stored = {"effort": _as_lists(effort), "sleep": _as_lists(sleep), "measured": measured}
    with write_atomically(options.out) as partial:
        partial.write_text(json.dumps(stored) + "\n", encoding="utf-8")
    print(json.dumps(measured, indent=1))


def read_rest_and_task(path: Path) -> dict[str, tuple[Array, Array]]:
    """Read features named ``SubjectNN_1`` (rest) and ``SubjectNN_2`` (task), each shape (30, seconds, 5), by person."""
    with np.load(path, allow_pickle=False) as file:
        people = sorted({name.rsplit("_", 1)[0] for name in file})
        return {person: (file[f"{person}_1"], file[f"{person}_2"]) for person in people}


def read_nights(folder: Path) -> list[tuple[str, Floats, Ints]]:
    """Read staged nights: the person, log band powers, shape (epochs, 2, 4), and stages 0 to 4, shape (epochs,).

    The files are named ``SC4ppnE0.npz`` (person pp, night n), with ``X``, shape (epochs, 72), and ``y``.
    """
    nights = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            columns, stages = np.stack([file["X"][:, band] for band in POWER_COLUMNS], axis=1), file["y"]
        powers = np.log(np.maximum(np.exp(columns) - POWER_OFFSET, 1e-16))
        asleep = np.flatnonzero(stages > 0)
        kept = slice(max(0, asleep[0] - WAKE_EPOCHS), asleep[-1] + WAKE_EPOCHS)
        nights.append((path.name[:5], powers[kept], stages[kept]))
    return nights


def fit_effort(people: Mapping[str, tuple[Array, Array]]) -> tuple[Logistic, dict[str, int]]:
    """Fit the regression on region means minus those of the first 90 s of rest, and measure it person by person."""
    features, labels, groups = [], [], []
    for person, (rest, task) in people.items():
        start = np.array(list(states.mean_by_region(rest[:, :REST_S]).values()))
        for label, recording in enumerate((rest[:, REST_S:], task)):
            for piece in _cut_pieces(recording):
                features.append((np.array(list(states.mean_by_region(piece).values())) - start).ravel())
                labels.append(label)
                groups.append(person)
    known = np.isfinite(features).all(axis=1)
    x, y, group = np.array(features)[known], np.array(labels)[known], np.array(groups)[known]
    said = _predict_held_out(x, y, group, EFFORT_C, "balanced")[:, 1]
    sure = np.maximum(said, 1 - said) >= states.SURE
    right = (said >= 0.5) == y
    measured = {
        "people": len(people),
        "right": _percent(right[sure & (y == label)].mean() for label in (0, 1)),
        "unclear": _percent((~sure[y == label]).mean() for label in (0, 1)),
    }
    return _fit(x, y, EFFORT_C, "balanced"), measured


def fit_sleep(nights: list[tuple[str, Floats, Ints]]) -> tuple[Logistic, dict[str, int]]:
    """Fit the regression on the epochs of all nights, and measure it person by person."""
    x = np.concatenate([states.build_sleep_features(powers) for _, powers, _ in nights])
    y = STAGE_CLASSES[np.concatenate([stages for _, _, stages in nights])]
    group = np.concatenate([np.full(len(stages), person) for person, _, stages in nights])
    said = _predict_held_out(x, y, group, SLEEP_C)[:, 2] >= states.ASLEEP
    measured = {
        "people": len(set(group)),
        "right": _percent([(y[said] > 0).mean()]),
        "guessing": _percent([(y > 0).mean()]),
        "found": _percent([said[y == 2].mean()]),
    }
    return _fit(x, y, SLEEP_C), measured


def measure_eyes(open_eyes: Iterator[Array], closed_eyes: Iterator[Array], people: int) -> dict[str, int]:
    """Measure how often open and closed eyes are named rightly, each condition with the same weight.

    Args:
        open_eyes: differential entropy of recordings with open eyes, shape (30, seconds, 5).
        closed_eyes: the same with closed eyes.
        people: in both.
    """
    alpha = [np.array([*map(states.measure_posterior_alpha, recordings)]) for recordings in (open_eyes, closed_eyes)]
    named_open, named_closed = (
        [(a <= states.EYES_OPEN).mean() for a in alpha],
        [(a >= states.EYES_CLOSED).mean() for a in alpha],
    )
    right, wrong = named_open[0] + named_closed[1], named_open[1] + named_closed[0]
    return {
        "people": people,
        "right": _percent([right / (right + wrong)]),
        "unclear": _percent([1 - (right + wrong) / 2]),
    }


def _cut_pieces(entropy: Array) -> Iterator[Array]:
    """Yield consecutive pieces of ``PIECE_S`` seconds."""
    for start in range(0, entropy.shape[1] - PIECE_S + 1, PIECE_S):
        yield entropy[:, start : start + PIECE_S]


def _fit(x: Floats, y: Ints, strength: float, weights: str | None = None) -> Logistic:
    """Fit a logistic regression, its features standardised; two classes have a row each."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    model = LogisticRegression(C=strength, class_weight=weights, max_iter=1000).fit((x - mean) / scale, y)
    binary = len(model.classes_) == 2
    coefficients = np.vstack([np.zeros_like(model.coef_), model.coef_]) if binary else model.coef_
    bias = np.append(0, model.intercept_) if binary else model.intercept_
    return Logistic(mean, scale, coefficients, bias)


def _predict_held_out(
    x: Floats, y: Ints, group: npt.NDArray[np.str_], strength: float, weights: str | None = None
) -> Floats:
    """Return the probabilities of regressions that were fitted without the person, shape (rows, classes)."""
    said = np.empty((len(y), len(np.unique(y))))
    for person in np.unique(group):
        mine = group == person
        said[mine] = _fit(x[~mine], y[~mine], strength, weights).predict(x[mine])
    return said


def _percent(shares: Iterator[float] | list[float]) -> int:
    """Return the mean of shares in whole percents."""
    return round(100 * float(np.mean(list(shares))))


def _as_lists(model: Logistic) -> dict[str, Any]:
    """Return a model as JSON's types, with six significant digits."""
    return {
        key: np.array([float(f"{v:.6g}") for v in value.ravel()]).reshape(value.shape).tolist()
        for key, value in vars(model).items()
    }


if __name__ == "__main__":
    main()
