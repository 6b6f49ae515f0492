"""Describe a report's findings in sentences: what the model can predict and what it cannot.

Every figure is taken from the report's rows; where a row is missing, its sentence is missing too. "76 of 100" is a
balanced accuracy of 0.76: every emotion has the same weight, however often it occurs.
"""

from collections.abc import Iterator
from typing import Any

from copilot.training.evaluate.ablations import BASELINES, LATE
from copilot.training.evaluate.scores import ReportRow

Report = dict[str, Any]
"""As ``evaluate`` writes it; see ``make_report`` there."""

SEGMENT, CLIP = "segment-10s", "clip-30s"
REFERENCES = ("majority", "lda", "network", "ensemble", "decoder")
HELD_OUT = "subject and clip"
CHANCE = {9: 1 / 9, 3: 1 / 3}
#: Up to this balanced accuracy of nine classes a control counts as guessing; the project's own limit.
NOTHING = 0.13
#: Below so many times chance a score is called hardly more than guessing.
HARDLY = 1.5


def find_row(report: Report, condition: str, unit: str, *, evidence: bool = True, **wanted: Any) -> ReportRow | None:
    """Return a row of the first model, or None.

    Args:
        report: as ``evaluate`` writes it.
        condition: see ``copilot.training.evaluate.ablations``.
        unit: ``SEGMENT`` or ``CLIP``.
        evidence: whether the classifier's line was in the prompt.
        wanted: other columns; by default nine classes, read out by logits.
    """
    wanted = {"readout": "logits", "classes": 9, "model": report["models"][0]["file"]} | wanted
    wanted |= {"condition": condition, "unit": unit, "evidence": evidence}
    return next((row for row in report["rows"] if all(row[key] == value for key, value in wanted.items())), None)


def find_references(report: Report, unit: str, split: str, classes: int = 9) -> list[ReportRow]:
    """Return the rows of the references with the person's baseline, the best last.

    Args:
        report: as ``evaluate`` writes it.
        unit: ``SEGMENT`` or ``CLIP``.
        split: name of the split.
        classes: 9 or 3.
    """
    found = [
        row
        for row in report["rows"]
        if row["model"] in REFERENCES
        and (row["condition"], row["unit"], row["split"], row["classes"]) == ("baseline", unit, split, classes)
    ]
    return sorted(found, key=lambda row: row["balanced_accuracy"])


def list_headlines(report: Report) -> Iterator[str]:
    """Yield the most important findings, of one or two sentences each."""
    # 1. Recordings of any kind, which is what people bring.
    any_rows = {(row["condition"], row.get("classes"), bool(row["control"])): row for row in report["any_rows"]}
    if any_rows:
        nine, control = any_rows["baseline", 9, False], any_rows["baseline", None, True]
        yield (
            f"A recording of any kind, compared with other recordings of the person: **{of_100(nine)}** right, film "
            "and person both new; guessing gives 11. Positive against negative: area under the curve "
            f"{nine['auc']:.2f}; with the films' labels permuted 95 % of tries stay below {control['auc_95']:.2f}. An "
            "emotion is named only where it is twice as likely as by chance, which is seldom."
        )
    states = report["states"]
    yield (
        f"States that it names, people new: eyes open or closed {states['eyes']['right']} of 100 right, mental effort "
        f"{states['effort']['right']}, guessing 50; asleep {states['sleep']['right']}, guessing "
        f"{states['sleep']['guessing']}."
    )

    # 2. FACED's own film clips.
    clip, segment = find_row(report, "baseline", CLIP), find_row(report, "baseline", SEGMENT)
    classes = find_row(report, "baseline", CLIP, classes=3)
    if clip and segment and classes:
        yield (
            "From a FACED film clip of 30 s, from its first second (`faced-films`), with other recordings of the "
            f"person, it names the right one of nine emotions in **{of_100(clip)}** cases, from ten seconds in "
            f"{of_100(segment)}; guessing gives 11. Whether the emotion is negative, neutral or positive it tells in "
            f"{of_100(classes)}; guessing gives 33."
        )

    # 3. With films that nobody was fitted on, and with the same films a second later.
    rows = [row for row in find_references(report, CLIP, HELD_OUT) if row["model"] != "majority"]
    if rows:
        nine = next((row for row in rows if row["model"] == "decoder"), rows[-1])
        (three,) = [row for row in find_references(report, CLIP, HELD_OUT, 3) if row["model"] == nine["model"]]
        hardly = nine["balanced_accuracy"] < HARDLY * CHANCE[9]
        verdict = "hardly more than guessing" if hardly else "more than guessing"
        if nine["low"] is None or nine["low"] <= CHANCE[9]:
            verdict = "not told from guessing"
        yield (
            f"{'**Most of this is recognising the film, not the feeling.** ' if hardly else ''}Everybody saw the same "
            f"28 clips. With film and person both new, a classifier of the same kind names {of_100(nine)} right and of "
            f"three classes {of_100(three)}: {verdict}. Do not expect more of recordings of anything else."
        )
    else:
        yield (
            "Everybody saw the same clips, and it recognises clips. How little is left with films that nobody was "
            "fitted on was not measured in this report (`--splits` does)."
        )
    late = [find_row(report, LATE, unit) for unit in (SEGMENT, CLIP)]
    if all(late):
        late_segment, late_clip = (of_100(row) for row in late if row)
        yield (
            "It compares second by second with those films: where the same recordings begin one second later, it names "
            f"{late_segment} stretches of ten seconds right and {late_clip} clips."
        )

    # 4. Without EEG.
    controls = {
        "with the EEG blanked": find_row(report, "eeg-blanked", SEGMENT),
        "with that of a trial drawn at random": find_row(report, "eeg-shuffled", SEGMENT),
        "with gender and age alone": find_row(report, "demographics-only", SEGMENT, evidence=False),
    }
    found = {words: row for words, row in controls.items() if row}
    if found:
        listed = ", ".join(f"{hundredths(row['balanced_accuracy'])} of 100 {words}" for words, row in found.items())
        nothing = all(row["balanced_accuracy"] <= NOTHING for row in found.values())
        verdict = "it guesses, as it should" if nothing else "it should guess, and does not quite"
        yield f"Without the EEG of the trial {verdict}: it names right {listed}."

    # 5. With few other recordings of the person, or none.
    with_others = {count: find_row(report, f"baseline-{count}", CLIP) for count in BASELINES}
    none = find_row(report, "no-baseline", CLIP)
    if none and all(with_others.values()):
        listed = ", ".join(hundredths(row["balanced_accuracy"]) for row in with_others.values() if row)
        yield (
            f"Without any other recording of the person it names {of_100(none)} clips right; with "
            f"{', '.join(map(str, BASELINES))} others of theirs {listed}."
        )


def list_findings(report: Report) -> Iterator[str]:
    """Yield all findings of one or two sentences each, the most important first."""
    yield from list_headlines(report)

    # 1. What its percentages are worth.
    clip, segment = find_row(report, "baseline", CLIP), find_row(report, "baseline", SEGMENT)
    if clip and segment:
        errors = [100 * float(row["ece"] or 0) for row in (segment, clip)]
        yield (
            f"Its percentages mean what they say to within {errors[0]:.1f} points on average for ten seconds, "
            f"{errors[1]:.1f} for clips (expected calibration error)."
        )
    for detail in report["models"][0]["details"]:
        if (detail["unit"], detail["evidence"]) == (CLIP, True) and detail["valence_correlation"] is not None:
            low, high = detail["valence_interval"] or (None, None)
            bounds = "" if low is None else f" ({low:.2f} to {high:.2f})"
            yield (
                "How pleasant it takes a clip to be goes with how pleasant the clip was meant to be with a correlation "
                f"of {detail['valence_correlation']:.2f}{bounds}; 1 would be perfect."
            )

    # 2. The language model alone, and the references.
    alone, alone_segment = (find_row(report, "baseline", unit, evidence=False) for unit in (CLIP, SEGMENT))
    if alone and alone_segment:
        yield (
            "The language model alone, without the classifier's line in its prompt, names "
            f"{of_100(alone_segment)} stretches of ten seconds right and {of_100(alone)} clips."
        )
    segments, clips = (find_references(report, unit, segment["split"] if segment else "") for unit in (SEGMENT, CLIP))
    if segments and clips:
        yield (
            f"Of the references on the same features the best is `{segments[-1]['model']}` for ten seconds, "
            f"{of_100(segments[-1])}, and `{clips[-1]['model']}` for clips, {of_100(clips[-1])}."
        )

    # 3. Written answers, quantisation, and the control whose prompt tells the label.
    if answers := report["models"][0].get("answers"):
        label, whole = (answers["seconds"][key]["mean"] for key in ("label", "answer"))
        yield (
            f"Of {answers['asked']} written answers {answers['complete']} make a complete record, and "
            f"{answers['contradicting']} contradict their own label. An answer takes {whole:.2f} s on average, "
            f"its label {label:.2f} s ({report['machine']})."
        )
    if lost := report["quantisation"]:
        most = 100 * max(0.0, lost["largest_loss"])
        yield (
            f"Quantisation costs at most {most:.1f} of 100, compared with {lost['against']} over {len(lost['rows'])} "
            "scores."
        )
    for unit in (CLIP, SEGMENT):
        leaky = {
            row["classes"]: row for row in report["rows"] if (row["condition"], row["unit"]) == ("leaky-prompt", unit)
        }
        if leaky:
            yield (
                f'A warning: a prompt that tells the label ("seems negative") and holds **no EEG at all** gives '
                f"{of_100(leaky[9])} of nine emotions and {of_100(leaky[3])} of three classes. It shows what a "
                "leak in the prompt is worth; the paper reports macro-F1 0.35 and 0.98."
            )
            return


def of_100(row: ReportRow) -> str:
    """Return a score with its interval, as ``76 of 100 (72 to 80)``."""
    return f"{hundredths(row['balanced_accuracy'])} of 100{interval(row)}"


def interval(row: ReportRow) -> str:
    """Return the interval as `` (72 to 80)``, or an empty text for a single person."""
    if row["low"] is None or row["high"] is None:
        return ""
    return f" ({hundredths(row['low'])} to {hundredths(row['high'])})"


def hundredths(share: float) -> str:
    """Return a share of 1 in whole hundredths."""
    return f"{100 * share:.0f}"
