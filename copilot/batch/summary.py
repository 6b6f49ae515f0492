"""Write the summary of a batch: ``summary.csv`` for programs, ``summary.md`` and ``summary.png`` for people.

Recordings are identified by their number: names of files may contain names of people.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from copilot import NOTICE, emotions
from copilot.batch.results import Results
from copilot.batch.worker import Outcome
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.record.draft import SOFTWARE
from copilot.record.export.markdown import escape_markdown
from copilot.record.model import Findings
from copilot.text import percent

BATCH_TITLE = N_("Summary of a batch of EEG readings")
BATCH_DRAFTS = N_("The records are drafts: no clinician has reviewed any of them.")
BATCH_SOURCES = N_(
    "Recordings go by number here and in the records. Which number is which file stands in sources.csv alone: keep it "
    "back when you pass the rest on, since names of files may tell names of people."
)
BATCH_CARE = N_(
    "This tells what the model read, recording by recording. It is no measure of how a group of people feels, and not "
    "made for comparing people."
)
BATCH_EMOTIONS = N_("Emotions")
BATCH_CHART = N_("How often each emotion was the most probable one, and how good the recordings were.")
BATCH_CLEAN = N_("Median share of clean seconds")
BATCH_TABLE = N_("Table of people")
BATCH_MADE = N_("How it was made")
BATCH_TOOK = N_("Median time of a recording")

#: Number of recordings by emotion and by confidence.
Counts = Mapping[str, Mapping[str, int]]

DONE, FAILED, WAITING = "done", "failed", "waiting"
TRUSTS = ("good", "fair", "poor")
COLUMNS = (
    *("number", "status", "reason", "remarks", "quality", "clean_share", "emotion", "confidence"),
    *emotions.EMOTIONS,
    *(*(f"class_{name}" for name in emotions.THREE_CLASSES), "valence", "calibrated"),
    *("seconds_taken", "worker", "model", "model_sha256"),
)
#: Confidences with which an emotion is named.
CONFIDENCE_COLOURS = {"clear": "#1d4ed8", "leaning": "#93b4f5"}
TRUST_COLOURS = {"good": "#1d4ed8", "fair": "#fb923c", "poor": "#7f1d1d"}


@dataclass(frozen=True)
class Row:
    """One recording: its number, its outcome (None: not read yet), and remarks about the person's data."""

    number: int
    outcome: Outcome | None
    remarks: tuple[str, ...]

    @property
    def status(self) -> str:
        """``done``, ``failed`` or ``waiting``."""
        if self.outcome is None:
            return WAITING
        return DONE if self.outcome.record else FAILED

    @property
    def findings(self) -> Findings | None:
        """The numbers of its record, None if there is none."""
        return self.outcome.record.findings if self.outcome and self.outcome.record else None


def write_summary(results: Results, rows: Sequence[Row], faults: Sequence[str], translate: Translator) -> None:
    """Write the table, the text and the figure.

    Args:
        results: the folder of the batch.
        rows: one per recording, in the order to show them.
        faults: faults of the table of participants as a whole, plain sentences.
        translate: translator for the language of the summary.

    Raises:
        BatchError: a file cannot be written.
    """
    results.write_table("summary.csv", COLUMNS, (_make_cells(row, translate) for row in rows))
    relied_on = [row.findings for row in rows if row.findings and row.findings.trust != "poor"]
    results.write("summary.png", _draw_summary(_count_emotions(relied_on), _count_qualities(rows), translate))
    results.write("summary.md", ("\n".join(_make_text(rows, relied_on, faults, translate)) + "\n").encode())


def _make_cells(row: Row, translate: Translator) -> dict[str, object]:
    """Return the cells of one row of ``summary.csv``, by their column."""
    cells: dict[str, object] = {"number": f"{row.number:04}", "status": row.status}
    cells["remarks"] = " ".join(map(translate, row.remarks))
    outcome, findings = row.outcome, row.findings
    if outcome:
        cells |= {
            "reason": translate(outcome.reason),
            "worker": outcome.worker,
            "seconds_taken": f"{outcome.seconds:.1f}",
        }
    if outcome and outcome.record and findings:
        probabilities = findings.probabilities
        classes = (f"class_{name}" for name in emotions.THREE_CLASSES)
        cells |= {name: f"{p:.4f}" for name, p in zip(emotions.EMOTIONS, probabilities, strict=True)}
        cells |= {name: f"{p:.4f}" for name, p in zip(classes, emotions.sum_three_classes(probabilities), strict=True)}
        cells |= {
            "valence": f"{emotions.compute_valence(probabilities):.4f}",
            "emotion": "" if findings.confidence == "unclear" else emotions.find_top_emotion(probabilities),
        }
        cells |= {"confidence": findings.confidence, "calibrated": findings.calibrated, "quality": findings.trust}
        cells |= {"clean_share": f"{_clean_share(findings):.3f}"}
        cells |= {"model": outcome.record.model, "model_sha256": outcome.record.model_sha256}
    return cells


def _clean_share(findings: Findings) -> float:
    """Return the share of clean seconds, from 0 to 1."""
    return findings.clean_seconds / findings.seconds if findings.seconds else 0.0


def _count_emotions(relied_on: Sequence[Findings]) -> Counts:
    """Count how often each emotion was named, by confidence."""
    counted = Counter((emotions.find_top_emotion(found.probabilities), found.confidence) for found in relied_on)
    return {name: {how: counted[name, how] for how in CONFIDENCE_COLOURS} for name in emotions.EMOTIONS}


def _count_qualities(rows: Sequence[Row]) -> dict[str, int]:
    """Count the recordings of each quality."""
    counted = Counter(row.findings.trust for row in rows if row.findings)
    return {trust: counted[trust] for trust in TRUSTS}


def _make_text(
    rows: Sequence[Row], relied_on: Sequence[Findings], faults: Sequence[str], translate: Translator
) -> Iterator[str]:
    """Yield the lines of ``summary.md``, which contains only texts and numbers of this program.

    Args:
        rows: one per recording.
        relied_on: numbers of the recordings whose quality is not poor.
        faults: faults of the table of participants.
        translate: translator for the language of the summary.
    """
    # What it is, and how far to trust it.
    status = Counter(row.status for row in rows)
    counts = {"total": len(rows), "done": status[DONE], "failed": status[FAILED], "waiting": status[WAITING]}
    records = [row.outcome.record for row in rows if row.outcome and row.outcome.record]
    calibrations = dict.fromkeys(record.describe_calibration(translate) for record in records)
    yield from (
        f"# {translate(BATCH_TITLE)}",
        "",
        f"**{translate(NOTICE)}**",
        "",
        translate(N_("{total} recordings: {done} read, {failed} failed, {waiting} not read yet."), **counts),
        "",
    )
    yield from (f"- {translate(BATCH_DRAFTS)}", f"- {translate(BATCH_CARE)}", f"- {translate(BATCH_SOURCES)}")
    yield from (f"- {calibration}" for calibration in calibrations or (translate(messages.NOT_CALIBRATED),))
    if status[DONE]:
        yield from ("", f"![{translate(BATCH_CHART)}](summary.png)", "")

        # How often each emotion was the most probable one, and its mean probability.
        yield from (
            f"## {translate(BATCH_EMOTIONS)}",
            "",
            translate(N_("Over the {count} recordings of good or fair quality."), count=len(relied_on)),
            translate(
                N_("In {count} of them the EEG singles out no emotion."),
                count=sum(found.confidence == "unclear" for found in relied_on),
            ),
            "",
        )
        heads = (
            messages.BATCH_EMOTION,
            *(messages.BATCH_CONFIDENCE[how] for how in CONFIDENCE_COLOURS),
            N_("Mean probability"),
        )
        cells = []
        for place, (name, counted) in enumerate(_count_emotions(relied_on).items()):
            average = percent(mean(found.probabilities[place] for found in relied_on)) if relied_on else ""
            by_confidence = (str(counted[how]) for how in CONFIDENCE_COLOURS)
            cells.append((translate(term("emotion", name)), *by_confidence, average))
        yield from _make_table([translate(head) for head in heads], cells)

        # The quality of the recordings.
        yield from ("", f"## {translate(messages.BATCH_QUALITY)}", "")
        qualities = [(translate(term("quality", trust)), str(count)) for trust, count in _count_qualities(rows).items()]
        yield from _make_table([translate(messages.BATCH_QUALITY), translate(messages.BATCH_RECORDINGS)], qualities)
        share = median(_clean_share(row.findings) for row in rows if row.findings)
        yield from ("", f"{translate(BATCH_CLEAN)}: {percent(share)}")

    # What failed, and what is remarkable about the people and their table.
    failed = [(row.number, row.outcome.reason) for row in rows if row.outcome and row.status == FAILED]
    yield from _make_list_section(N_("Failed"), N_("Reason"), failed, translate)
    remarks = [(row.number, remark) for row in rows for remark in row.remarks]
    yield from _make_list_section(N_("About the people"), N_("Remark"), remarks, translate)
    if faults:
        yield from ("", f"## {translate(BATCH_TABLE)}", "", *(f"- {translate(fault)}" for fault in faults))

    # The software, the models, and the median time of a recording.
    yield from ("", f"## {translate(BATCH_MADE)}", "", f"- {translate(messages.ABOUT_SOFTWARE)}: {SOFTWARE}")
    records = [row.outcome.record for row in rows if row.outcome and row.outcome.record]
    for model, sha256 in sorted({(record.model, record.model_sha256) for record in records}):
        yield f"- {translate(messages.ABOUT_MODEL)}: {escape_markdown(model)}"
        yield f"- {translate(messages.ABOUT_MODEL_FILE)}: {sha256 or translate(messages.ABOUT_REMOTE)}"
    if records:
        seconds = median(row.outcome.seconds for row in rows if row.outcome and row.outcome.record)
        yield f"- {translate(BATCH_TOOK)}: {seconds:.1f} s"


def _make_list_section(
    title: str, head: str, numbered: Sequence[tuple[int, str]], translate: Translator
) -> Iterator[str]:
    """Yield a table of texts by the number of their recording, nothing if there is none."""
    if numbered:
        yield from ("", f"## {translate(title)}", "")
        cells = [(f"{number:04}", translate(text)) for number, text in numbered]
        yield from _make_table([translate(N_("Number")), translate(head)], cells)


def _make_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    for cells in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(escape_markdown(cell) if cell != '---' else cell for cell in cells)} |"


def _draw_summary(counts: Counts, trusts: Mapping[str, int], translate: Translator) -> bytes:
    """Draw how often each emotion came first, and the quality of the recordings, as a PNG file with a white background.

    Args:
        counts: number of recordings by most probable emotion and by confidence.
        trusts: number of recordings by quality.
        translate: translator for the language of the labels.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from copilot.eeg import plots

    figure = Figure(figsize=(7.5, 3.6), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1.2))
    names, before = [translate(term("emotion", name)) for name in counts], [0] * len(counts)
    for how, colour in CONFIDENCE_COLOURS.items():
        here = [counted[how] for counted in counts.values()]
        left.barh(names, here, left=before, color=colour, label=translate(messages.BATCH_CONFIDENCE[how]))
        before = [b + h for b, h in zip(before, here, strict=True)]
    left.set_title(translate(messages.BATCH_EMOTION), fontsize=10)
    colours = [TRUST_COLOURS[trust] for trust in trusts]
    right.barh(
        [translate(term("quality", trust)) for trust in trusts], list(trusts.values()), height=0.3, color=colours
    )
    right.set_title(translate(messages.BATCH_QUALITY), fontsize=10)
    for axes in (left, right):
        axes.invert_yaxis()  # the first on top
        axes.set_xlabel(translate(messages.BATCH_RECORDINGS), fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
        axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))
    figure.legend(loc="outside lower left", ncols=3, fontsize=9, frameon=False)
    return plots.encode_png(plots.set_fonts(figure, translate.language))
