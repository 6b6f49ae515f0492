"""What a batch came to: ``summary.csv`` for programs, ``summary.md`` and ``summary.png`` for people (see ``write``).

Recordings go by their number: names of files may hold names of people.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median

from copilot import NOTICE, emotions
from copilot.batch import summary_figure
from copilot.batch.results import Results
from copilot.batch.worker import Outcome
from copilot.i18n import N_, Translator, english
from copilot.i18n.terms import term
from copilot.record.draft import SOFTWARE, percent
from copilot.record.export.markdown import escaped
from copilot.record.model import Findings

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


DONE, FAILED, WAITING = "done", "failed", "waiting"
TRUSTS = ("good", "fair", "poor")
COLUMNS = (
    *("number", "status", "reason", "remarks", "quality", "clean_share", "emotion", "confidence"),
    *emotions.EMOTIONS,
    *(*(f"class_{name}" for name in emotions.THREE_CLASSES), "valence", "calibrated"),
    *("seconds_taken", "worker", "model", "model_sha256"),
)


@dataclass(frozen=True)
class Row:
    """One recording: its number, what became of it (None: not read yet), and what there is to say about the person."""

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
        """The numbers of its record."""
        return self.outcome.record.findings if self.outcome and self.outcome.record else None


def write(results: Results, rows: Sequence[Row], faults: Sequence[str], say: Translator) -> None:
    """Write table, text and picture.

    Args:
        results: the folder to write them to.
        rows: one a recording, in the order to show them.
        faults: of the table of people as a whole, plain sentences.
        say: in which language.

    Raises:
        BatchError: the disk refuses.
    """
    results.write_table("summary.csv", COLUMNS, (_cells(row, say) for row in rows))
    relied_on = [row.findings for row in rows if row.findings and row.findings.trust != "poor"]
    results.write("summary.png", summary_figure.draw(_counts(relied_on), _trusts(rows), say))
    results.write("summary.md", ("\n".join(_lines(rows, relied_on, faults, say)) + "\n").encode())


def _cells(row: Row, say: Translator) -> dict[str, object]:
    cells: dict[str, object] = {"number": f"{row.number:04}", "status": row.status}
    cells["remarks"] = " ".join(map(say, row.remarks))
    outcome, findings = row.outcome, row.findings
    if outcome:
        cells |= {"reason": say(outcome.reason), "worker": outcome.worker, "seconds_taken": f"{outcome.seconds:.1f}"}
    if outcome and outcome.record and findings:
        probabilities = findings.probabilities
        classes = (f"class_{name}" for name in emotions.THREE_CLASSES)
        cells |= {name: f"{p:.4f}" for name, p in zip(emotions.EMOTIONS, probabilities, strict=True)}
        cells |= {name: f"{p:.4f}" for name, p in zip(classes, emotions.sum_three_classes(probabilities), strict=True)}
        cells |= {
            "valence": f"{emotions.compute_valence(probabilities):.4f}",
            "emotion": emotions.find_top_emotion(probabilities),
        }
        cells |= {"confidence": findings.confidence, "calibrated": findings.calibrated, "quality": findings.trust}
        cells |= {"clean_share": f"{_clean_share(findings):.3f}"}
        cells |= {"model": outcome.record.model, "model_sha256": outcome.record.model_sha256}
    return cells


def _clean_share(findings: Findings) -> float:
    return findings.clean_seconds / findings.seconds if findings.seconds else 0.0


def _counts(relied_on: Sequence[Findings]) -> summary_figure.Counts:
    """How often each emotion was the most probable, by how far it stood out."""
    counted = Counter((emotions.find_top_emotion(found.probabilities), found.confidence) for found in relied_on)
    return {name: {how: counted[name, how] for how in emotions.CONFIDENCES} for name in emotions.EMOTIONS}


def _trusts(rows: Sequence[Row]) -> dict[str, int]:
    counted = Counter(row.findings.trust for row in rows if row.findings)
    return {trust: counted[trust] for trust in TRUSTS}


def _lines(rows: Sequence[Row], relied_on: Sequence[Findings], faults: Sequence[str], say: Translator) -> Iterator[str]:
    """The text, part by part; everything in it is this program's own words and numbers."""
    status = Counter(row.status for row in rows)
    counts = {"total": len(rows), "done": status[DONE], "failed": status[FAILED], "waiting": status[WAITING]}
    calibrated = relied_on and all(found.calibrated for found in relied_on)
    yield from (
        f"# {say(BATCH_TITLE)}",
        "",
        f"**{say(NOTICE)}**",
        "",
        say(N_("{total} recordings: {done} read, {failed} failed, {waiting} not read yet."), **counts),
        "",
    )
    yield from (f"- {say(BATCH_DRAFTS)}", f"- {say(BATCH_CARE)}", f"- {say(BATCH_SOURCES)}")
    yield f"- {say(english.CALIBRATED if calibrated else english.NOT_CALIBRATED)}"
    if status[DONE]:
        yield from ("", f"![{say(BATCH_CHART)}](summary.png)", "")
        yield from _emotions(relied_on, say)
        yield from _quality(rows, say)
    failed = [(row.number, row.outcome.reason) for row in rows if row.outcome and row.status == FAILED]
    yield from _listed(N_("Failed"), N_("Reason"), failed, say)
    remarks = [(row.number, remark) for row in rows for remark in row.remarks]
    yield from _listed(N_("About the people"), N_("Remark"), remarks, say)
    if faults:
        yield from ("", f"## {say(BATCH_TABLE)}", "", *(f"- {say(fault)}" for fault in faults))
    yield from _made(rows, say)


def _emotions(relied_on: Sequence[Findings], say: Translator) -> Iterator[str]:
    yield from (
        f"## {say(BATCH_EMOTIONS)}",
        "",
        say(N_("Over the {count} recordings of good or fair quality."), count=len(relied_on)),
        "",
    )
    heads = (english.BATCH_EMOTION, *english.BATCH_CONFIDENCE.values(), N_("Mean probability"))
    rows = []
    for place, (name, counted) in enumerate(_counts(relied_on).items()):
        average = percent(mean(found.probabilities[place] for found in relied_on)) if relied_on else ""
        rows.append((say(term("emotion", name)), *(str(counted[how]) for how in english.BATCH_CONFIDENCE), average))
    yield from _table([say(head) for head in heads], rows)


def _quality(rows: Sequence[Row], say: Translator) -> Iterator[str]:
    yield from ("", f"## {say(english.BATCH_QUALITY)}", "")
    counted = [(say(term("quality", trust)), str(count)) for trust, count in _trusts(rows).items()]
    yield from _table([say(english.BATCH_QUALITY), say(english.BATCH_RECORDINGS)], counted)
    share = median(_clean_share(row.findings) for row in rows if row.findings)
    yield from ("", f"{say(BATCH_CLEAN)}: {percent(share)}")


def _listed(title: str, head: str, numbered: Sequence[tuple[int, str]], say: Translator) -> Iterator[str]:
    if numbered:
        yield from ("", f"## {say(title)}", "")
        cells = [(f"{number:04}", say(text)) for number, text in numbered]
        yield from _table([say(N_("Number")), say(head)], cells)


def _made(rows: Sequence[Row], say: Translator) -> Iterator[str]:
    outcomes = [row.outcome for row in rows if row.outcome and row.outcome.record]
    records = [outcome.record for outcome in outcomes if outcome.record]
    yield from ("", f"## {say(BATCH_MADE)}", "", f"- {say(english.ABOUT_SOFTWARE)}: {SOFTWARE}")
    for model, sha256 in sorted({(record.model, record.model_sha256) for record in records}):
        yield f"- {say(english.ABOUT_MODEL)}: {escaped(model)}"
        yield f"- {say(english.ABOUT_MODEL_FILE)}: {sha256 or say(english.ABOUT_REMOTE)}"
    if outcomes:
        yield f"- {say(BATCH_TOOK)}: {median(outcome.seconds for outcome in outcomes):.1f} s"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(escaped(cell) if cell != '---' else cell for cell in cells)} |"
