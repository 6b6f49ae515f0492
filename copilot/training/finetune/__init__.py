"""Fine-tune a base on a corpus with LoRA, in the steps of a schedule:

``python -m copilot.training.finetune --base DIR --corpus corpus.jsonl --schedule ours --strategy 1 --out build/tuned``

Strategy 1 trains the adapter right away; strategy 2 first trains all weights of the base on plain text (both as in
arXiv 2410.00166). ``--base`` is a folder, a name on the Hugging Face Hub, or ``new``: this project's own small model,
untrained, with a tokenizer made for the corpus. If the command was stopped or killed, the same command resumes and
reaches the same result; under ``accelerate launch -m`` it runs on many GPUs. ``OUT`` contains the adapter, ``base``
where that was not a folder already, ``finetuning.json`` (base, corpus, schedule and losses) and ``metadata.json`` for
``convert all``.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.checkpoint import ADAPTER_CONFIG
from convert.files import read_json
from convert.receipts import write_receipt
from copilot import model_metadata
from copilot.command_line import Parser, command
from copilot.files import hash_file, new_folder
from copilot.training import base_model
from copilot.training.faced import CorpusError
from copilot.training.finetune import collate, trainer
from copilot.training.finetune.collate import Encoded
from copilot.training.finetune.corpus import Corpus, read_text_pieces
from copilot.training.finetune.schedule import NAMES, FinetunePlan, Passes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

RECEIPT, METADATA = "finetuning.json", "metadata.json"
#: Files in the work folder: the facts that the result depends on, and the losses of each part.
RUN, LOSSES = "run.json", "losses.json"
BASE = "base"
#: ``--base``: this project's own small model, untrained.
NEW, NEW_SEED = "new", 0
#: With fewer steps a warning is shown: so many did the bundled model take to learn to read, before anything else. After
#: 63 steps on 84 records the loss of the label was 4.7, and guessing among nine labels gives 2.2.
NEW_STEPS = 2000
MADE_WITH = ("accelerate", "peft", "tokenizers", "torch", "transformers")
#: Number of examples whose text from the base's own template is compared with ours.
COMPARED = 20


#: Names in the work folder: of the base before and after training on plain text.
START, TEXT = "start", "text"


@dataclass(frozen=True)
class FinetuneTask:
    """A fine-tuning task as the command line gives it.

    Attributes:
        base: a folder, a name on the Hub, or ``new``.
        corpus: the corpus to learn from.
        plan: the schedule's steps.
        text: plain text to train all weights on first (strategy 2), or None (strategy 1).
        out: folder to make.
    """

    base: str
    corpus: Corpus
    plan: FinetunePlan
    text: Path | None
    out: Path

    @property
    def work(self) -> Path:
        """Folder of the results so far, until the task is done."""
        return self.out.with_name(f"{self.out.name}.work")

    @property
    def tuned_base(self) -> Path | None:
        """Folder of the adapter's base in the work folder; None where the base is the folder that was named."""
        name = TEXT if self.text else START
        return None if Path(self.base).is_dir() and not self.text else self.work / name

    def facts(self) -> dict[str, Any]:
        """Return everything that the result depends on."""
        return {
            "base": self.base,
            "corpus_sha256": self.corpus.receipt["sha256"],
            "strategy": 2 if self.text else 1,
            "text_sha256": hash_file(self.text) if self.text else None,
            "schedule": json.loads(json.dumps(asdict(self.plan))),
            "processes": trainer.make_accelerator().num_processes,
            "decoder_sha256": self.corpus.receipt.get("source", {}).get("decoder_sha256"),
            **{key: self.corpus.receipt[key] for key in ("prompt_version", "system_sha256", "codec")},
        }


@dataclass(frozen=True)
class TaskPart:
    """One part of the task.

    Attributes:
        number: position in the task, 0 for plain text; it seeds the part.
        name: name of its result in the work folder.
        passes: passes over the data.
        batches: all batches in their order.
    """

    number: int
    name: str
    passes: Passes
    batches: list[list[Encoded]]

    @property
    def steps(self) -> int:
        """Number of optimiser steps; batches that cannot be divided equally among processes are not learned."""
        return len(self.batches) // int(trainer.make_accelerator().num_processes)


def make_parts(task: FinetuneTask, tokenizer: PreTrainedTokenizerFast, longest: int) -> list[TaskPart]:
    """Return all parts of the task, with their batches.

    Args:
        task: the task.
        tokenizer: the base's.
        longest: most tokens that the base reads.

    Raises:
        CorpusError: the corpus has nothing for a step, or less than the processes can share.
    """
    plan, parts = task.plan, []
    if task.text:
        pieces = read_text_pieces(task.text, tokenizer)
        parts.append(TaskPart(0, TEXT, plan.text, collate.batch_epochs(pieces, plan.text.epochs, plan.tokens, 0)))
    encoded = task.corpus.encode_examples(tokenizer, longest)
    for number, step in enumerate(plan.steps, start=1):
        wanted = [example for hz, example in encoded if step.sampling_hz in (None, hz)]
        if not wanted:
            raise CorpusError(
                f"Step {number} of the schedule is for people recorded at {step.sampling_hz} Hz, and the corpus names "
                "no such people; make it with --info, or take another schedule."
            )
        parts.append(
            TaskPart(number, f"step-{number}", step, collate.batch_epochs(wanted, step.epochs, plan.tokens, number))
        )
    if not all(part.steps for part in parts):
        raise CorpusError(
            f"There is less to learn than {trainer.make_accelerator().num_processes} processes can share; start fewer."
        )
    return parts


def finetune(task: FinetuneTask) -> dict[str, Any]:
    """Run every part of the task that the work folder does not contain yet, and make the folder ``out`` from it.

    Returns:
        The contents of ``finetuning.json``.

    Raises:
        CorpusError: base, corpus and program do not fit together, or the work folder belongs to another task.
        ConvertError, FileError: a file cannot be read or written.
    """
    import transformers
    from peft import PeftModel

    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)

    # 1. Neither folder may belong to something else.
    if task.out.exists():
        raise CorpusError(f"{task.out} is there already; remove it or name another folder.")
    if task.work.exists() and read_json(task.work / RUN) != task.facts():
        raise CorpusError(
            f"{task.work} contains the beginning of another fine-tuning (base, corpus, schedule or number of processes "
            "differ); remove it to begin anew."
        )

    # 2. The model from which the first unfinished part starts, without its adapter.
    begun = [name for name in (TEXT, START) if (task.work / name).exists()]
    if begun or task.base != NEW:
        model, tokenizer = base_model.load(str(task.work / begun[0]) if begun else task.base)
    else:
        texts = (message["content"] for example in task.corpus.read_examples() for message in example.messages)
        tokenizer = base_model.train_tokenizer(texts)
        model = base_model.create_model(tokenizer, NEW_SEED)

    # 3. Base and corpus fit together; the parts of the task.
    labels = collate.find_label_tokens(tokenizer)
    for example in islice(task.corpus.read_examples(), COMPARED):
        collate.refuse_other_template(example.messages, tokenizer)
    work = make_parts(task, tokenizer, model.config.max_position_embeddings)
    steps = sum(part.steps for part in work)
    if task.base == NEW and steps < NEW_STEPS and trainer.make_accelerator().is_main_process:
        print(
            f"Warning: {steps} steps teach an untrained base next to nothing; it takes {NEW_STEPS} or more. Give more "
            "records or epochs, or a trained base.",
            file=sys.stderr,
        )

    # 4. The work folder: the task's facts, and the base where that is not a folder already.
    with trainer.make_accelerator().main_process_first():
        if not task.work.exists():
            with new_folder(task.work) as folder:
                (folder / RUN).write_text(json.dumps(task.facts(), indent=1))
                if not Path(task.base).is_dir():
                    model.save_pretrained(folder / START)
                    tokenizer.save_pretrained(folder / START)

    # 5. Every part; the adapter begins behind the plain text, or is that of the last finished step.
    reached = {}
    for part in work:
        if part.number == 1:
            done = [name for n in range(1, len(task.plan.steps) + 1) if (task.work / (name := f"step-{n}")).exists()]
            if done:
                model = PeftModel.from_pretrained(model, task.work / done[-1], is_trainable=True)
            else:
                lora = task.plan.adapter
                model = trainer.add_adapter(model, lora.rank, lora.alpha, lora.dropout)
        after = sum(later.steps for later in work if later.number > part.number)
        reached[part.name] = _train_part(task, part, model, tokenizer, labels, after)
    receipt = task.facts() | {"losses": reached, "made_with": {name: version(name) for name in MADE_WITH}}
    _assemble_output(task, work[-1].name, receipt)
    return receipt


def _train_part(
    task: FinetuneTask,
    part: TaskPart,
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    labels: Sequence[int],
    after: int,
) -> dict[str, Any]:
    """Train one part of the task, unless it is done.

    Args:
        task: the whole task.
        part: the part to train.
        model: is trained in place.
        tokenizer: is saved with the model.
        labels: tokens of the nine labels.
        after: steps of later parts, which count for the time left.

    Returns:
        The losses at the end of the part.
    """
    folder, state = task.work / part.name, task.work / f"{part.name}.state"
    if not folder.exists():
        schedule = part.passes.schedule(part.steps, seed=part.number)
        reached = trainer.train(model, part.batches, schedule, labels, state, part.name, after)
        with trainer.make_accelerator().main_process_first():
            if not folder.exists():
                with new_folder(folder) as partial:
                    model.save_pretrained(partial)
                    tokenizer.save_pretrained(partial)
                    losses = {"steps": part.steps, "answer": reached.answer, "label": reached.label}
                    (partial / LOSSES).write_text(json.dumps(losses))
                shutil.rmtree(state, ignore_errors=True)
    return read_json(folder / LOSSES)


def _assemble_output(task: FinetuneTask, last: str, receipt: dict[str, Any]) -> None:
    """Write the adapter, its base where it exists nowhere else, receipt and metadata; remove the work folder."""
    without = shutil.ignore_patterns(LOSSES, "README.md")  # peft's README.md names paths of this machine
    with trainer.make_accelerator().main_process_first():
        if task.out.exists():
            return
        with new_folder(task.out) as folder:
            shutil.copytree(task.work / last, folder, ignore=without, dirs_exist_ok=True)
            if task.tuned_base:
                shutil.copytree(task.tuned_base, folder / BASE, ignore=without)
            named = str(task.out / BASE) if task.tuned_base else task.base
            config = read_json(folder / ADAPTER_CONFIG) | {"base_model_name_or_path": named}
            (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=1) + "\n")
            write_receipt(folder / RECEIPT, receipt, indent=1)
            decoder = {"decoder_sha256": receipt["decoder_sha256"]} if receipt["decoder_sha256"] else {}
            metadata = model_metadata.expected_values(receipt["codec"]) | decoder
            (folder / METADATA).write_text(json.dumps(metadata, indent=1) + "\n")
        shutil.rmtree(task.work)


@command("Interrupted; the same command resumes from the state of the last minute.")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = Parser(
        prog="python -m copilot.training.finetune",
        description="Fine-tune a base on a corpus with LoRA. The same command resumes where it was stopped or killed; "
        "under 'accelerate launch -m' it runs on many GPUs.",
    )
    add = parser.add_argument
    add("--base", required=True, metavar="BASE", help="a folder, a name on the Hugging Face Hub, or new: a small "
        "untrained model with a tokenizer made for the corpus")  # fmt: skip
    add("--corpus", type=Path, required=True, metavar="FILE", help="made by python -m copilot.training.dataset")
    add("--schedule", default="ours", metavar="NAME", help=f"{', '.join(NAMES)} or a file.toml (default: %(default)s)")
    add("--strategy", type=int, choices=(1, 2), default=1, help="1: the adapter right away; 2: all weights on plain "
        "text first, then the adapter (default: %(default)s)")  # fmt: skip
    add("--text", type=Path, metavar="FILE", help="plain text in UTF-8, for strategy 2")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to make; until then results are in DIR.work")
    options = parser.parse_args(arguments)
    if (options.strategy == 2) != bool(options.text):
        raise CorpusError("Strategy 2 needs plain text (--text FILE); strategy 1 uses none.")
    corpus, plan = Corpus.open(options.corpus), FinetunePlan.read(options.schedule)
    out: Path = options.out
    receipt = finetune(FinetuneTask(options.base, corpus, plan, options.text, out))
    for name, losses in receipt["losses"].items():
        print(f"{name}: {losses['steps']} steps, answer {losses['answer']:.3f}, label {losses['label']:.3f} (training)")
    base = out / BASE if (out / BASE).exists() else options.base
    print(f"Next: python -m convert all --base {base} --adapter {out} --metadata {out / METADATA} --out build/NAME")
