"""Make the bundled model: ``make model FEATURES=faced_de.npz``, or

``python -m copilot.training.make_model --features FILE --work build/model --out models``

The steps are: classifier, examples, tokenizer, a small base from random weights, a LoRA adapter on top, merge, GGUF,
quantisation; then a control that is trained on the label. Seeds are fixed. A step whose result is already in the work
folder is skipped, and a stage of training that was killed resumes where it was.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from convert.all import convert_all
from convert.files import read_json
from convert.gguf import to_gguf
from convert.merge import merge
from convert.ollama import ollama
from convert.receipts import ENDING, RELEASE, write_receipt
from copilot import emotions, model_metadata, prompt
from copilot.command_line import Parser, command
from copilot.files import hash_file, new_folder
from copilot.llm.base import Message
from copilot.pipeline import EncodedEeg
from copilot.training import base_model, fit_classifier
from copilot.training.evaluate.ablations import reveal_label
from copilot.training.examples import ExampleSource
from copilot.training.faced import BAD_SUBJECTS, SECOND_COHORT, TRAIN_SUBJECTS, describe, load
from copilot.training.finetune import collate, trainer
from copilot.training.finetune.schedule import Schedule
from copilot.training.synthetic import invent_person

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NAME = "eeg-emotion-copilot"
CLASSIFIER = "decoder.npz"
#: Its loss is in the receipt and in ``evaluate --against``. It does not use llama.cpp's AMX kernels, which with some
#: compilers crash on Q8_0 and the K-quants (its pull request 26954).
QUANTISATION = "Q5_0"


@dataclass(frozen=True)
class Stage(Schedule):
    """A stage of the bundled model's training.

    Attributes:
        tokens: most tokens of a batch, padding included.
        shares: shares of special kinds of examples, see ``ExampleSource.draw_examples``.
    """

    tokens: int = 8192
    shares: Mapping[str, float] = field(default_factory=dict)


#: Stages that train all weights, in this order: reading words and the evidence line, then everything, then answering
#: what was asked. Reading has to come first: in long examples the label is one token of hundreds.
BASE = {
    "read": Stage(steps=2000, rate=1e-3, tokens=4096, warmup=50, seed=1, shares={"letters": 0.85, "drills": 0.15}),
    "base": Stage(steps=1300, rate=1e-3, seed=2, shares={"letters": 0.3, "drills": 0.2}),
    "talk": Stage(steps=500, rate=8e-4, warmup=50, seed=5, shares={"letters": 0.1, "drills": 0.1, "talks": 0.5}),
    "answer": Stage(steps=420, rate=8e-4, warmup=20, seed=7, shares={"letters": 0.15, "drills": 0.1, "talks": 0.6}),
}
#: The stage that then trains the adapter, at a lower rate.
LORA = Stage(
    steps=450, rate=6e-4, warmup=20, weight_decay=0.0, seed=3, shares={"letters": 0.45, "drills": 0.1, "talks": 0.35}
)
NEW_SEED = 1

#: The stage of the control whose prompts contain the label, and its file in the work folder.
LEAKY = Stage(steps=300, rate=2e-3, tokens=4096, warmup=10, weight_decay=0.0, seed=6)
LEAKY_FILE = "leaky.gguf"
#: FACED's clips: three of each emotion, four neutral ones.
CLIPS = [k for k in range(len(emotions.EMOTIONS)) for _ in range(4 if emotions.EMOTIONS[k] == "neutral" else 3)]

CARD = """\
---
name: EEG Emotion Copilot
license: apache-2.0
language:
- en
---
"""

TOKENIZER_EXAMPLES = 6000
#: Prompts of single windows to calibrate on, and as many of whole clips: the model should be calibrated for both.
CALIBRATION_EXAMPLES = 300


def make(features: Path, work: Path, out: Path) -> None:
    """Run every step whose result is not in the work folder yet.

    Args:
        features: FACED's features, an npz.
        work: folder of the stages' results.
        out: folder of the finished model.

    Raises:
        CorpusError: the features cannot be used.
        ConvertError: a conversion failed.
    """
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)

    # 1. The classifier, and the source of the examples.
    faced = load(features).select([s for s in TRAIN_SUBJECTS if s not in BAD_SUBJECTS])
    _print_status(f"decoder: fitting on subjects {describe(faced.subjects)}")
    classifier = fit_classifier.fit(faced)
    classifier.save(work / CLASSIFIER)
    source = ExampleSource.prepare(faced, classifier)

    # 2. A tokenizer, and a model of random weights.
    before = work / "new"
    if not before.exists():
        examples = islice(source.draw_examples(seed=0), TOKENIZER_EXAMPLES)
        tokenizer = base_model.train_tokenizer(message["content"] for one in examples for message in one.messages)
        model = base_model.create_model(tokenizer, NEW_SEED)
        _print_status(f"{model.num_parameters() / 1e6:.2f} million parameters, {len(tokenizer)} tokens")
        _save_checkpoint(model, tokenizer, before)

    # 3. The stages of training, the adapter last.
    for name, stage in BASE.items():
        if not (work / name).exists():
            model, tokenizer = base_model.load(str(before))
            _train_stage(model, tokenizer, source, stage, work / name)
        before = work / name
    if not (work / "adapter").exists():
        model, tokenizer = base_model.load(str(before))
        _train_stage(trainer.add_adapter(model), tokenizer, source, LORA, work / "adapter")

    # 4. The files that are shipped.
    temperature = calibrate(before, work / "adapter", source)
    _print_status(f"temperature {temperature:.3f}")
    shutil.rmtree(work / NAME, ignore_errors=True)
    convert_all(
        before,
        work / "adapter",
        work / NAME,
        types=[QUANTISATION],
        metadata=make_metadata(temperature, work / CLASSIFIER),
    )
    copy_release(work / NAME, out)
    shutil.copyfile(work / CLASSIFIER, out / CLASSIFIER)
    _print_status(f"{out / NAME}.gguf: {(out / f'{NAME}.gguf').stat().st_size / 1e6:.1f} MB")

    # 5. The control with the label in its prompt.
    if not (work / LEAKY_FILE).exists():
        make_leaky_model(work / "talk", work / LEAKY_FILE)


def copy_release(release: Path, out: Path) -> None:
    """Copy the quantised file and the receipts from the folder that ``convert all`` made, and write Ollama's files."""
    quantised = f"{NAME}-{QUANTISATION}"
    shutil.copyfile(release / f"{quantised}.gguf", out / f"{NAME}.gguf")
    whole = read_json(release / RELEASE)
    del whole["files"]["Modelfile"]  # ``out`` has its own, for a file without its type in the name
    write_receipt(out / RELEASE, whole)
    receipt = read_json(release / f"{quantised}{ENDING}")
    write_receipt(out / f"{NAME}{ENDING}", receipt | {"file": f"{NAME}.gguf"})
    ollama(out / f"{NAME}.gguf", out)


def make_metadata(temperature: float, classifier: Path) -> dict[str, str]:
    """Return the metadata that describe how the model file is used, keys without the ``eeg_copilot.`` prefix."""
    return {
        **model_metadata.expected_values("patterns"),
        "decoder_sha256": hash_file(classifier),
        "temperature": f"{temperature:.4f}",
        "training_data": "FACED differential entropy (Chen et al. 2023, Sci Data 10:740; CC-BY-4.0 as stated by NEMAR "
        "nm000112), subjects 0-79 without 23",
        "notice": "Research tool, not a medical device. Most of its score on FACED is recognising the film clip.",
    }


def _train_stage(
    model: Any, tokenizer: PreTrainedTokenizerFast, source: ExampleSource, stage: Stage, folder: Path
) -> None:
    """Run a stage and save its result; until then its state is in a folder beside."""
    state = folder.with_name(f"{folder.name}.state")
    examples = ((e.messages, e.target) for e in source.draw_examples(stage.seed, **stage.shares))
    batches = collate.generate_batches(examples, tokenizer, stage.tokens)
    trainer.train(model, batches, stage, collate.find_label_tokens(tokenizer), state, folder.name)
    _save_checkpoint(model, tokenizer, folder)
    shutil.rmtree(state, ignore_errors=True)


def calibrate(base_folder: Path, adapter_folder: Path, source: ExampleSource) -> float:
    """Return the adapted model's temperature: it minimises the label slot's cross-entropy on prompts with evidence.

    Like the classifier's, it is fitted on the second cohort where the source contains it. The classifiers behind the
    evidence were not fitted on these people, but the language model was trained on them.

    Args:
        base_folder: checkpoint of the base.
        adapter_folder: the adapter.
        source: gives the prompts.
    """
    import torch
    from peft import PeftModel

    # 1. Real trials with the classifier's evidence, as many of one window as of three.
    later = range(SECOND_COHORT, TRAIN_SUBJECTS.stop)
    if np.isin(source.faced.subjects, later).any():
        source = source.select_subjects(later)
    drawn, left = [], {1: CALIBRATION_EXAMPLES, 3: CALIBRATION_EXAMPLES}
    for example in source.draw_examples(seed=4):
        if example.truth is not None and left.get(example.windows):
            left[example.windows] -= 1
            drawn.append(example)
        if not any(left.values()):
            break

    # 2. The labels' scores.
    base, tokenizer = base_model.load(str(base_folder))
    model = PeftModel.from_pretrained(base, adapter_folder).eval()
    labels = collate.find_label_tokens(tokenizer)
    scores, truths = [], []
    for example in drawn:
        encoded = collate.encode(example.messages, example.target, tokenizer)
        with torch.no_grad():
            logits = model(torch.tensor(encoded.ids[None, : encoded.slot])).logits[0, -1, labels]
        scores.append(logits.double().numpy())
        truths.append(example.truth)
    stacked = np.stack(scores)
    return fit_classifier.fit_temperature(lambda t: softmax(stacked / t, axis=-1), np.array(truths))


def make_leaky_model(base_folder: Path, out: Path) -> None:
    """Train a model that repeats the paper's mistake: its prompts contain the label's class and no EEG.

    The example in arXiv 2410.00166 fills "seems ..." with the class of the label. An adapter on the bundled model's
    base learns from such prompts in a minute; ``evaluate --leaky`` measures what that gives without any EEG. The file
    is a warning and not for use.

    Args:
        base_folder: checkpoint of the base.
        out: GGUF file to write: the base and the adapter, merged.

    Raises:
        CorpusError, ConvertError: there is no such base, or ``out`` cannot be written.
    """
    model, tokenizer = base_model.load(str(base_folder))
    adapted = trainer.add_adapter(model, dropout=0.0, seed=LEAKY.seed)
    batches = collate.generate_batches(draw_leaky_examples(LEAKY.seed), tokenizer, LEAKY.tokens)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trainer.train(adapted, batches, LEAKY, collate.find_label_tokens(tokenizer), folder / "state", "leak")
        adapted.save_pretrained(folder / "adapter")
        merge(base_folder, folder / "adapter", folder / "merged")
        to_gguf(folder / "merged", out, name="Leaky prompt, a warning")


def draw_leaky_examples(seed: int) -> Iterator[tuple[list[Message], emotions.Probabilities]]:
    """Yield conversations without EEG whose appearance names the class, and the label slot's truth, shape (9,)."""
    rng, without_eeg = random.Random(seed), EncodedEeg(("",), "patterns", "person", None)
    while True:
        emotion = rng.choice(CLIPS)
        (messages,) = without_eeg.build_prompts(reveal_label(invent_person(rng), emotion))
        answer: Message = {"role": "assistant", "content": f"{prompt.LABEL_PREFIX} {emotions.EMOTIONS[emotion]}"}
        yield [*messages, answer], np.eye(len(emotions.EMOTIONS))[emotion]


def _save_checkpoint(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    with new_folder(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        (partial / "README.md").write_text(CARD)


def _print_status(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@command("Interrupted; the same command resumes from the stages that are done.")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = Parser(prog="python -m copilot.training.make_model", description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/model"))
    parser.add_argument("--out", type=Path, default=Path("models"))
    options = parser.parse_args(arguments)
    make(options.features, options.work, options.out)


if __name__ == "__main__":
    sys.exit(main())
