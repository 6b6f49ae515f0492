"""Write the model card from the evaluation's own figures: ``python -m copilot.training.card models README.md``.

Reads ``evaluation.json`` and the model's receipt in that folder, writes its ``README.md`` and the figures in the
project's; no figure is typed by hand.
"""

import json
import sys
from pathlib import Path
from typing import Any

EVALUATION, RECEIPT = "evaluation.json", "eeg-emotion-copilot.receipt.json"
BEGIN, END = "<!-- figures: written by copilot.training.card -->", "<!-- end of figures -->"

#: Rows of the README's table: words, condition, whether the decoder's line is in the prompt, and the read-out.
SUMMARY = (
    ("as it ships, with the person's baseline", "baseline", True, "logits"),
    ("as it ships, without a baseline", "no-baseline", True, "logits"),
    ("EEG blanked", "eeg-blanked", True, "logits"),
    ("EEG shuffled over people and clips", "eeg-shuffled", True, "logits"),
    ("demographics only", "demographics-only", False, "logits"),
    ("language model alone, with the person's baseline", "baseline", False, "logits"),
    ("the small decoder by itself, with the person's baseline", "baseline", True, "decoder"),
)

TEMPLATE = """\
# EEG Emotion Copilot, the model in the box

A language model of {parameters} million parameters (Qwen2 architecture, own tokenizer) and a small linear decoder.
Together they turn EEG written as letters and a few words about a person into nine probabilities, an assessment and
suggestions. **A research tool, not a medical device; nothing it writes is a diagnosis.**

| file | what |
|---|---|
| `eeg-emotion-copilot.gguf` | language model, {quantisation}, {megabytes} MB, {bits} bits per weight, sha256 `{sha}` |
| `decoder.npz` | shrinkage LDA on ten seconds of differential entropy, numpy only |
| `eeg-emotion-copilot.receipt.json` | what quantisation really did, type by type, and what it cost |
| `receipt.json` | the whole way from checkpoint and adapter to this file, with what each step proved |
| `Modelfile`; `template`, `system`, `params` | for Ollama; the same for `ollama run hf.co/...` |
| `evaluation.json` | every figure below, and more |

## What it was trained on

- FACED's published differential entropy (Chen et al. 2023, *Sci Data* 10:740; CC-BY-4.0 as stated by NEMAR nm000112),
  subjects 0-79 without 23, whose recording is known to be bad: 28 film clips of 30 s, the same for everybody.
- Assessments, suggestions and answers to follow-up questions written for this project. They are general and
  non-diagnostic; the model recombines them and knows nothing else. It writes English only.
- Gender, age and the person's own words were drawn at random, without a look at the emotion.

## What it scores

Balanced accuracy on {people} people it never saw (FACED subjects {subjects}), through the quantised file and the
prompt alone. `evidence` says whether the decoder's line was in the prompt; `baseline` means z-scored over the person's
own clips, without labels. Chance is 0.111 for nine classes and 0.333 for three.

| EEG | evidence | unit | read-out | nine classes | three classes | macro-F1 (nine) | calibration error | n |
|---|---|---|---|---|---|---|---|---|
{rows}

Read it with care:

- **Most of this is recognising the film clip.** Everybody saw the same 28 clips. With clip and person both unseen,
  simple decoders of these features fall to 0.18 of eight classes (chance 0.125), and to 0.55 for positive against
  negative.
- The language model alone (evidence: no) does not read the letters yet (chance); the decoder's line carries the
  reading.
- Larger models on raw FACED signals reach more on 10-s segments, clips seen in training: EEGNet 0.41, LaBraM 0.53,
  CBraMod 0.55.

## What it is not for

Diagnosis, treatment, screening, lie detection, hiring, school or work (where inferring emotions from biometric data
is prohibited in the EU), or any decision about a person. It was fitted on young adults watching films in one
laboratory; other ages, devices, tasks and illnesses are unknown to it.
"""


def card(report: dict[str, Any], receipt: dict[str, Any]) -> str:
    """The card's text."""
    nine, three = report["rows"][::2], report["rows"][1::2]
    rows = "\n".join(_row(a, b) for a, b in zip(nine, three, strict=True))
    return TEMPLATE.format(
        parameters=f"{receipt['parameters'] / 1e6:.1f}",
        quantisation=receipt["type"],
        megabytes=f"{receipt['file_bytes'] / 1e6:.1f}",
        bits=f"{receipt['bits_per_weight']:.2f}",
        sha=receipt["sha256"],
        people=report["people"],
        subjects=report["subjects"],
        rows=rows,
    )


def _row(nine: dict[str, Any], three: dict[str, Any]) -> str:
    ece = "" if nine["ece"] is None else f"{nine['ece']:.3f}"
    scores = [f"{row['balanced_accuracy']:.3f}" for row in (nine, three)] + [f"{nine['macro_f1']:.3f}"]
    seen = [nine["condition"], "yes" if nine["evidence"] else "no", nine["unit"], nine["readout"]]
    cells = [*seen, *scores, ece, nine["n"]]
    return f"| {' | '.join(map(str, cells))} |"


def summary(report: dict[str, Any]) -> str:
    """The few figures of the project's README, as a table."""
    lines = [
        f"Balanced accuracy on {report['people']} people it never saw (FACED subjects {report['subjects']}; fitted on",
        "0-79), through the quantised file and the prompt alone; chance is 0.111 for nine classes, 0.333 for three.",
        "",
        "| | 10-s segments, nine | 10-s segments, three | whole clips, nine |",
        "|---|---|---|---|",
    ]
    for words, *wanted in SUMMARY:
        found = {
            (row["unit"], row["classes"]): row["balanced_accuracy"]
            for row in report["rows"]
            if [row["condition"], row["evidence"], row["readout"]] == wanted
        }
        scores = (found["segment-10s", 9], found["segment-10s", 3], found["clip-30s", 9])
        lines.append(f"| {words} | {' | '.join(f'{score:.3f}' for score in scores)} |")
    return "\n".join(lines)


def insert(readme: str, figures: str) -> str:
    """The README with its figures replaced."""
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


def main(arguments: list[str] | None = None) -> int:
    """Write the card beside the files it describes, and the README's figures."""
    models, readme = (Path(name) for name in arguments or sys.argv[1:])
    report, receipt = (json.loads((models / name).read_text()) for name in (EVALUATION, RECEIPT))
    (models / "README.md").write_text(card(report, receipt))
    readme.write_text(insert(readme.read_text(), summary(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
