"""What is asked of the bundled model: ``make model`` ends with an error where a report misses it."""

from collections.abc import Iterator

from copilot.training.evaluate.summary import (
    CLIP,
    HELD_OUT,
    NOTHING,
    REFERENCES,
    SEGMENT,
    Report,
    find_references,
    find_row,
)
from copilot.training.faced import CorpusError

#: Least balanced accuracy by condition, unit and number of classes.
FLOORS = {
    ("baseline", SEGMENT, 9): 0.30,
    ("baseline", CLIP, 9): 0.40,
    ("no-baseline", SEGMENT, 9): 0.22,
    ("baseline", CLIP, 3): 0.50,
}
#: Largest expected calibration error, how far the best reference may be ahead, and the largest loss by quantisation.
MOST_ERROR, MOST_BEHIND, MOST_LOST = 0.05, 0.02, 0.01


def refuse_report(report: Report) -> None:
    """Refuse a report of the bundled model that misses what is asked of it.

    Raises:
        CorpusError: names everything that is missed.
    """
    if missed := list(list_shortfalls(report)):
        raise CorpusError(f"The model is not what is asked of it: {'; '.join(missed)}.")


def list_shortfalls(report: Report) -> Iterator[str]:
    """Yield what a report misses, in a few words each; a row that is absent is missed, too."""
    # 1. With its EEG it reaches the floors; without it, it guesses.
    bounds = [(*key, floor, 1.0) for key, floor in FLOORS.items()]
    bounds += [(condition, SEGMENT, 9, 0.0, NOTHING) for condition in ("eeg-blanked", "eeg-shuffled")]
    for condition, unit, classes, least, most in bounds:
        row = find_row(report, condition, unit, classes=classes)
        if not row or not least <= row["balanced_accuracy"] <= most:
            found = row["balanced_accuracy"] if row else "absent"
            yield f"{condition}, {unit}, {classes} classes: {found}, and {least:.2f} to {most:.2f} is asked"

    # 2. Its percentages are true, and no reference is far ahead.
    for unit in (SEGMENT, CLIP):
        row = find_row(report, "baseline", unit)
        if not row or row["ece"] is None or row["ece"] > MOST_ERROR:
            yield f"expected calibration error, {unit}: {row and row['ece']}, and at most {MOST_ERROR} is asked"
        best = find_references(report, unit, row["split"])[-1:] if row else []
        if not row or not best or row["balanced_accuracy"] < best[0]["balanced_accuracy"] - MOST_BEHIND:
            yield f"{unit}: more than {MOST_BEHIND} behind the best reference, or there is none"

    # 3. Quantisation costs next to nothing, and every written answer is complete and keeps to its label.
    lost = [row["loss"] for row in (report["quantisation"] or {"rows": []})["rows"] if row["evidence"]]
    if not lost or max(lost) > MOST_LOST:
        yield f"quantisation costs {max(lost, default='an unknown part')}, and at most {MOST_LOST} is asked"
    answers = report["models"][0]["answers"] or {"asked": 0, "complete": 0, "contradicting": 0}
    if not answers["asked"] or answers["complete"] < answers["asked"] or answers["contradicting"]:
        yield f"of {answers['asked']} answers {answers['complete']} are complete, {answers['contradicting']} contradict"

    # 4. The score with films that nobody was fitted on is in the report.
    if {row["model"] for row in find_references(report, CLIP, HELD_OUT)} != set(REFERENCES):
        yield "the references on held-out films are not in the report; --splits adds them"
