"""Compare a GGUF file with its checkpoint: numbers, tokens, chat template and logits; report the first difference.

``python -m convert check model.gguf --against MODEL_DIR --pairs ggml-vocab-qwen2.gguf.inp``

The exit status is 1 where something differs. This process reads the header without trusting it; llama.cpp runs in a
child process.
"""

import argparse
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convert.check.header import KINDS, compare_metadata, compare_vocabulary
from convert.check.weights import compare_weights, find_shape_mismatch
from convert.checkpoint import Checkpoint
from convert.files import ConvertError, scratch_folder
from convert.gguf_file import read_gguf
from convert.report import Finding, VerbResult
from copilot import child_process
from copilot.errors import CopilotError
from copilot.text import first_line

#: Context in tokens of a model that is loaded for its tokenizer only.
SHORT_CONTEXT = 32


@dataclass(frozen=True)
class CheckResult(VerbResult):
    """The comparison of a GGUF file with its checkpoint.

    Attributes:
        file: path of the GGUF file.
        against: folder of the checkpoint.
        findings: result of every comparison, in the order in which they were made.
    """

    file: str
    against: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every comparison was made and found no difference, apart from rounding."""
        return all(finding.passed for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        findings = [asdict(finding) | {"passed": finding.passed} for finding in self.findings]
        for finding in findings:  # JSON has no infinite numbers
            finding["values"] = {k: v if math.isfinite(v) else None for k, v in finding["values"].items()}
        return {"file": self.file, "against": self.against, "passed": self.passed, "findings": findings}

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        lines = [f"{self.file} against {self.against}", ""]
        for finding in self.findings:
            lines.append(f"{finding.check:<10}  {finding.verdict:<7}  {finding.figure}")
            if not finding.passed:
                lines.append(f"{'':<21}{finding.difference or 'nothing was compared'}")
        lines += [f"\nNote: {note}" for finding in self.findings for note in finding.notes]
        return lines


def check(file: Path, *, against: Path, pairs: Path | None = None) -> CheckResult:
    """Compare a GGUF file with the checkpoint it was made from.

    Args:
        file: GGUF file of any type that llama.cpp knows.
        against: folder of the checkpoint, with its tokenizer.
        pairs: ``.inp`` file of llama.cpp's tests of this vocabulary, with its ``.out`` in the same folder; None for
            none.

    Raises:
        ConvertError: one of them cannot be read, or llama.cpp cannot run a file whose header and numbers are right, or
            its chat template does not end, or there is no space for temporary files.
    """
    header, checkpoint = read_gguf(file), Checkpoint.open(against)
    findings = [compare_metadata(header, checkpoint), compare_weights(header, checkpoint)]
    with scratch_folder() as scratch:  # created here, so that it is removed even if the child crashes
        try:
            findings += child_process.run(compare_running, file, against, pairs, scratch)
        except CopilotError as error:
            if all(finding.passed for finding in findings):
                raise
            findings.append(Finding("running", 1, "llama.cpp and Hugging Face side by side", str(error)))
    return CheckResult(str(file), str(against), tuple(findings))


def compare_running(file: Path, against: Path, pairs: Path | None, scratch: Path) -> list[Finding]:
    """Run both models, where they have the same shape, and compare their results; only for a child process.

    Args:
        file: GGUF file.
        against: folder of the checkpoint.
        pairs: as for ``check``.
        scratch: empty folder for temporary files.

    Raises:
        ConvertError: one of them cannot be run.
    """
    from transformers import AutoTokenizer

    from convert.check.chat_template import compare_stops, compare_template
    from convert.check.logits import compare_logits
    from convert.check.tokens import TokenizerPair, compare_pairs, compare_tokens
    from copilot.llm.llama_cpp import NativeModel

    header, checkpoint = read_gguf(file), Checkpoint.open(against)
    try:
        tokenizer = AutoTokenizer.from_pretrained(against, local_files_only=True)
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{against} has no tokenizer that can be loaded: {first_line(error)}") from error
    vocabulary = compare_vocabulary(header, tokenizer, checkpoint.shape.vocabulary)
    if unlike := find_shape_mismatch(header, checkpoint):
        return [vocabulary, Finding("running", 0, "models of different shapes cannot be run side by side", unlike)]
    try:
        native = NativeModel(file, threads=1, context=SHORT_CONTEXT)
    except ValueError as error:
        raise ConvertError(f"{error}.") from error
    pair = TokenizerPair(native, tokenizer, header.metadata.get(KINDS, []))
    findings = [vocabulary, compare_tokens(pair, tokenizer)]
    if pairs:
        findings.append(compare_pairs(native, pair, pairs))
    findings.append(compare_template(header, native, pair, tokenizer))
    findings.append(compare_stops(header, native, checkpoint, tokenizer))
    native.close()
    return [*findings, *compare_logits(header, checkpoint, tokenizer, scratch)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("file", type=Path, metavar="FILE.gguf", help="file to check")
    parser.add_argument("--against", type=Path, required=True, metavar="MODEL_DIR", help="checkpoint it was made from")
    parser.add_argument(
        "--pairs", type=Path, metavar="FILE.inp", help="texts whose tokens are in the .out file beside it"
    )
    parser.set_defaults(run=check)
