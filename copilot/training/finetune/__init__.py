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

import argparse
import json
import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.files import read_json
from convert.lora import ADAPTER_CONFIG
from copilot import model_metadata
from copilot.command_line import Parser, command
from copilot.files import new_folder
from copilot.training.faced import CorpusError
from copilot.training.finetune import base_model, collate, trainer
from copilot.training.finetune.config import START, TEXT, FinetuneTask, TaskPart, make_parts
from copilot.training.finetune.examples import Corpus
from copilot.training.finetune.schedule import NAMES, FinetunePlan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

RECEIPT, METADATA = "finetuning.json", "metadata.json"
#: Files in the work folder: the facts that the result depends on, and the losses of each part.
RUN, LOSSES = "run.json", "losses.json"
BASE = "base"
MADE_WITH = ("accelerate", "peft", "tokenizers", "torch", "transformers")
#: Number of examples whose text from the base's own template is compared with ours.
COMPARED = 20


def finetune(task: FinetuneTask) -> dict[str, Any]:
    """Run every part of the task that the work folder does not contain yet, and make the folder ``out`` from it.

    Returns:
        The contents of ``finetuning.json``.

    Raises:
        CorpusError: base, corpus and program do not fit together, or the work folder belongs to another task.
        ConvertError, FileError: a file cannot be read or written.
    """
    _silence_libraries()
    _refuse_existing_folders(task)
    model, tokenizer = _load_start_model(task)
    labels = collate.find_label_tokens(tokenizer)
    for example in islice(task.corpus.read_examples(), COMPARED):
        collate.refuse_other_template(example.messages, tokenizer)
    work = make_parts(task, tokenizer, model.config.max_position_embeddings)
    _create_work_folder(task, model, tokenizer)
    reached = {}
    for part in work:
        if part.number == 1:
            model = _add_or_load_adapter(task, model)
        after = sum(later.steps for later in work if later.number > part.number)
        reached[part.name] = _train_part(task, part, model, tokenizer, labels, after)
    receipt = task.facts() | {"losses": reached, "made_with": {name: version(name) for name in MADE_WITH}}
    _assemble_output(task, work[-1].name, receipt)
    return receipt


def _silence_libraries() -> None:
    """Turn off the libraries' own progress bars, retry messages and warnings."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)


def _refuse_existing_folders(task: FinetuneTask) -> None:
    """Refuse an output folder that exists, and a work folder that belongs to another task."""
    if task.out.exists():
        raise CorpusError(f"{task.out} is there already; remove it or name another folder.")
    if task.work.exists() and read_json(task.work / RUN) != task.facts():
        raise CorpusError(
            f"{task.work} contains the beginning of another fine-tuning (base, corpus, schedule or number of processes "
            "differ); remove it to begin anew."
        )


def _load_start_model(task: FinetuneTask) -> tuple[Any, PreTrainedTokenizerFast]:
    """Load or create the model from which the first unfinished part starts, without its adapter."""
    for name in (TEXT, START):
        if (task.work / name).exists():
            return base_model.load(str(task.work / name))
    if task.base != base_model.NEW:
        return base_model.load(task.base)
    texts = [message["content"] for example in task.corpus.read_examples() for message in example.messages]
    return base_model.create(texts)


def _create_work_folder(task: FinetuneTask, model: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Make the work folder: the task's facts, and the base where that is not a folder already."""
    with trainer.make_accelerator().main_process_first():
        if not task.work.exists():
            with new_folder(task.work) as folder:
                (folder / RUN).write_text(json.dumps(task.facts(), indent=1))
                if not Path(task.base).is_dir():
                    model.save_pretrained(folder / START)
                    tokenizer.save_pretrained(folder / START)


def _add_or_load_adapter(task: FinetuneTask, model: Any) -> Any:
    """Return the base with the adapter of the last finished step, or with a new adapter."""
    from peft import PeftModel

    done = [name for n in range(1, len(task.plan.steps) + 1) if (task.work / (name := f"step-{n}")).exists()]
    if done:
        return PeftModel.from_pretrained(model, task.work / done[-1], is_trainable=True)
    lora = task.plan.adapter
    return trainer.add_adapter(model, lora.rank, lora.alpha, lora.dropout)


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
            (folder / RECEIPT).write_text(json.dumps(receipt, indent=1) + "\n")
            (folder / METADATA).write_text(json.dumps(_make_metadata(receipt), indent=1) + "\n")
        shutil.rmtree(task.work)


def _make_metadata(receipt: dict[str, Any]) -> dict[str, str]:
    """Return the metadata that describe how the model file is used."""
    decoder = {"decoder_sha256": receipt["decoder_sha256"]} if receipt["decoder_sha256"] else {}
    return model_metadata.expected_values(receipt["codec"]) | decoder


@command("Interrupted; the same command resumes from the state of the last minute.")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _make_parser().parse_args(arguments)
    if (options.strategy == 2) != bool(options.text):
        raise CorpusError("Strategy 2 needs plain text (--text FILE); strategy 1 uses none.")
    corpus, plan = Corpus.open(options.corpus), FinetunePlan.read(options.schedule)
    receipt = finetune(FinetuneTask(options.base, corpus, plan, options.text, options.out))
    print("\n".join(_format_lines(options, receipt)))


def _make_parser() -> argparse.ArgumentParser:
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
    return parser


def _format_lines(options: argparse.Namespace, receipt: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that the command prints: losses, and the next command."""
    out = options.out
    for name, losses in receipt["losses"].items():
        yield f"{name}: {losses['steps']} steps, answer {losses['answer']:.3f}, label {losses['label']:.3f} (training)"
    base = out / BASE if (out / BASE).exists() else options.base
    yield f"Next: python -m convert all --base {base} --adapter {out} --metadata {out / METADATA} --out build/NAME"
