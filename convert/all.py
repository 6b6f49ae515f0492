"""Convert a base and its adapter to one folder that llama.cpp, Ollama, the Hub and a Space can all use.

``python -m convert all --base DIR --adapter DIR --out DIR --types Q8_0,Q5_K_M,Q4_K_M``

It runs the other verbs in this order: merge, gguf, check, quantize, ollama. The folder appears when all of them have
finished. Its ``receipt.json`` contains the result of each verb and the SHA-256 of every file. ``publish`` can publish
the folder as it is.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.check import CheckResult, check
from convert.files import ConvertError, read_json
from convert.gguf import to_gguf
from convert.merge import merge
from convert.ollama import ollama
from convert.progress import progress_bar
from convert.quantize import parse_type_names, quantize, refuse_unusable_types
from convert.receipts import RELEASE, describe_release, write_receipt
from convert.report import VerbResult
from copilot.files import new_folder

CHECKPOINT = "checkpoint"
TYPES = ("Q8_0", "Q5_K_M", "Q4_K_M")
STEPS = 5


class CheckFailed(ConvertError):
    """The GGUF file is not what the checkpoint is; ``result`` states all differences, the message the first."""

    def __init__(self, name: str, result: CheckResult) -> None:
        first = next(finding for finding in result.findings if not finding.passed)
        reason = first.difference or first.figure
        super().__init__(f"{name} is not what the checkpoint is, in its {first.check}: {reason}")
        self.result = result


@dataclass(frozen=True)
class Release(VerbResult):
    """A folder of converted files, and how they were made.

    Attributes:
        out: the folder.
        model: name of the quantised file that its Modelfile runs.
        why: the reason for choosing that file.
        steps: verb -> its result.
        receipt: all of it as plain values, with the files' sizes and SHA-256; paths are relative to the folder.
    """

    out: Path
    model: str
    why: str
    steps: Mapping[str, VerbResult]
    receipt: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every step passed."""
        return all(step.passed for step in self.steps.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return self.receipt

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        quantised = self.steps["quantize"].lines()
        files = [f"{file['bytes']:>15,}  {file['sha256']}  {name}" for name, file in self.receipt["files"].items()]
        return [*quantised, "", f"{self.out}:", *files, "", f"Ollama will run {self.model}: {self.why}"]


def convert_all(
    base: Path,
    adapter: Path,
    out: Path,
    *,
    types: Sequence[str] = TYPES,
    imatrix: Path | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Release:
    """Create the folder ``out``, whole or not at all.

    Args:
        base: folder of the checkpoint that the adapter was trained on.
        adapter: folder that peft saved the adapter to.
        out: the new folder, which must not exist; the files in it get its name.
        types: types to quantise to.
        imatrix: text to measure the importance of the weights on.
        metadata: texts to write as ``eeg_copilot.<name>``.

    Raises:
        CheckFailed: the GGUF file is not what the checkpoint is.
        ConvertError: one of the verbs refuses its input.
    """
    begun = time.monotonic()
    refuse_unusable_types(types, imatrix)
    with new_folder(out) as folder, progress_bar("Steps", STEPS) as steps:
        results: dict[str, VerbResult] = {"merge": merge(base, adapter, folder / CHECKPOINT)}
        full = folder / f"{out.name}-f16.gguf"
        steps.update()
        results["gguf"] = to_gguf(folder / CHECKPOINT, full, metadata=metadata, name=out.name)
        steps.update()
        results["check"] = checked = check(full, against=folder / CHECKPOINT)
        if not checked.passed:  # the quantised files are later compared with this file alone
            raise CheckFailed(full.name, checked)
        steps.update()
        results["quantize"] = quantized = quantize(full, types, imatrix=imatrix)
        steps.update()
        model, why = (quantized.recommended or quantized.closest).file, quantized.reason
        results["ollama"] = ollama(folder / model, folder)
        steps.update()
        reports = {verb: result.as_dict() for verb, result in results.items()}
        receipt = describe_release(folder, out.name, reports, {"model": model, "why": why})
        receipt["seconds"] = round(time.monotonic() - begun, 1)
        write_receipt(folder / RELEASE, receipt)
    return Release(out, model, why, results, receipt)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--base", type=Path, required=True, metavar="DIR", help="checkpoint the adapter was trained on")
    parser.add_argument("--adapter", type=Path, required=True, metavar="DIR", help="folder that peft saved it to")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to make; its name is the model's"
    )
    parser.add_argument(
        "--types", type=parse_type_names, default=",".join(TYPES), metavar="Q8_0,...", help="default: %(default)s"
    )
    parser.add_argument("--imatrix", type=Path, metavar="TEXT", help="text to measure on which weights matter")
    parser.add_argument("--metadata", type=Path, metavar="JSON", help="texts to write as eeg_copilot.* keys")
    parser.set_defaults(run=_run)


def _run(*, metadata: Path | None, **options: Any) -> VerbResult:
    """Run the verb with the options of the command line; where its check fails, the result is that of ``check``."""
    try:
        return convert_all(**options, metadata=read_json(metadata) if metadata else None)
    except CheckFailed as failed:
        return failed.result
