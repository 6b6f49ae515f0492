import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from copilot.training.evaluate import main, new_films
from copilot.training.evaluate.new_films import score_new_films
from copilot.training.faced import CorpusError
from tests.helpers.features_file import simulated_faced, write_features


def test_planted_emotions_are_found_in_new_films_and_permuted_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_films, "score_new_films", partial(score_new_films, permutations=3))
    fit = write_features(tmp_path / "fit.npz", simulated_faced(people=12, seed=0))
    scored = write_features(tmp_path / "scored.npz", simulated_faced(people=4, seed=9))
    out = tmp_path / "out.json"
    arguments = ["--fit", str(fit), "--features", str(scored), "--held-out-films", "--report", str(out)]
    assert main(arguments) == 0
    report = json.loads(out.read_text())
    rows = [row for row in report["rows"] if not row["control"]]
    assert {(row["split"], row["situation"]) for row in rows} == {("new-films", "any")}
    found = {(row["condition"], row["classes"]): row for row in rows}
    assert found["baseline", 9]["balanced_accuracy"] > 0.5
    assert found["baseline", 9]["auc"] > 0.9
    assert found["baseline", 9]["bits"] > found["baseline-1", 9]["bits"] > 0
    assert found["no-baseline", 9]["auc"] == pytest.approx(0.5)
    assert found["no-baseline", 9]["bits"] == pytest.approx(0)
    control = next(row for row in report["rows"] if row["control"] and row["condition"] == "baseline")
    assert control["auc"] == pytest.approx(0.5, abs=0.15)
    assert found["baseline", 9]["bits"] > control["bits_95"]


def test_nobody_is_scored_who_was_fitted_on() -> None:
    people = simulated_faced(people=12, seed=0)
    with pytest.raises(CorpusError, match="must not be among"):
        score_new_films(people, people.select([int(s) for s in people.subjects[:2]]))


def test_no_label_of_a_scored_film_reaches_the_fit() -> None:
    """Where films differ in all but their emotion, knowing a scored film's label would give more than two bits."""
    rng = np.random.default_rng(3)
    films = rng.normal(0, 0.4, (1, 28, 30, 1, 5))
    fit, scored = simulated_faced(people=12, seed=0, strength=0), simulated_faced(people=6, seed=9, strength=0)
    fit.de[:] += films
    scored.de[:] += films
    found = {row["condition"]: row for row in score_new_films(fit, scored, permutations=0) if row["classes"] == 9}
    assert found["baseline"]["balanced_accuracy"] < 0.25
    assert found["baseline"]["bits"] < 0.3
