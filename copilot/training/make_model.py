"""Make the model in the box: ``make model FEATURES=faced_de.npz``, or

``python -m copilot.training.make_model --features FILE --work build/model --out models``

Decoder, corpus, tokenizer, a small base from nothing, a LoRA adapter on top, merge, GGUF, quantisation. Seeds are
fixed; a step whose result is already in the work folder is not done again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.everything import RECEIPT, convert_all
from convert.files import ConvertError
from convert.ollama import ollama
from copilot import feeding
from copilot.training import base, finetune, fit_decoder
from copilot.training.examples import Material
from copilot.training.faced import BAD_SUBJECTS, TRAIN_SUBJECTS, CorpusError, describe, load

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NAME = "eeg-emotion-copilot"
#: Of 168 held-out prompts none changed its label against f16 (mean KL divergence 8e-5; Q8_0 2e-5), and it does not
#: touch llama.cpp's AMX kernels, which with some compilers crash on Q8_0 and the K-quants (its pull request 26954).
QUANTISATION = "Q5_0"

#: All weights, one schedule after the other: the evidence line, then everything, then answering what was asked.
BASE = {
    "drill": finetune.Schedule(steps=300, rate=8e-4, tokens=4096, drills=1.0, warmup=50, seed=1),
    "base": finetune.Schedule(steps=2000, rate=1e-3, drills=0.5, seed=2),
    "talk": finetune.Schedule(steps=550, rate=8e-4, drills=0.15, talks=0.55, warmup=50, seed=5),
}
#: Then the adapter, at a gentler rate.
LORA = finetune.Schedule(steps=300, rate=6e-4, drills=0.1, talks=0.65, warmup=20, weight_decay=0.0, seed=3)

CARD = """\
---
name: EEG Emotion Copilot
license: apache-2.0
language:
- en
---
"""

TOKENIZER_EXAMPLES = 6000
CALIBRATION_EXAMPLES = 600


def make(features: Path, work: Path, out: Path) -> None:
    """Run every step that the work folder does not hold yet.

    Raises:
        CorpusError: the features cannot be used.
        ConvertError: a conversion failed.
    """
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    faced = load(features).of([s for s in TRAIN_SUBJECTS if s not in BAD_SUBJECTS])
    _say(f"decoder: fitting on subjects {describe(faced.subjects)}")
    fit_decoder.fit(faced).save(out / "decoder.npz")
    material = Material.of(faced)
    before = None
    for name, schedule in BASE.items():
        if not (work / name).exists():
            _train(material, schedule, before, work / name)
        before = work / name
    if not (work / "adapter").exists():
        _train_adapter(material, work / "talk", work / "adapter")
    temperature = calibrate(work / "talk", work / "adapter", material)
    _say(f"temperature {temperature:.3f}")
    shutil.rmtree(work / NAME, ignore_errors=True)
    convert_all(work / "talk", work / "adapter", work / NAME, types=[QUANTISATION], metadata=metadata(temperature))
    fill_box(work / NAME, out)
    _say(f"{out / NAME}.gguf: {(out / f'{NAME}.gguf').stat().st_size / 1e6:.1f} MB")


def fill_box(release: Path, out: Path) -> None:
    """Copy the quantised file and the receipts out of the folder that ``convert all`` made, and tell Ollama of it."""
    quantised = f"{NAME}-{QUANTISATION}"
    shutil.copyfile(release / f"{quantised}.gguf", out / f"{NAME}.gguf")
    whole = json.loads((release / RECEIPT).read_text())
    del whole["files"]["Modelfile"]  # the box has its own, for a file without its type in the name
    (out / RECEIPT).write_text(json.dumps(whole, indent=2) + "\n")
    receipt = json.loads((release / f"{quantised}.receipt.json").read_text())
    (out / f"{NAME}.receipt.json").write_text(json.dumps(receipt | {"file": f"{NAME}.gguf"}, indent=2) + "\n")
    ollama(out / f"{NAME}.gguf", out)


def metadata(temperature: float) -> dict[str, str]:
    """What the file says about how to feed it, without the ``eeg_copilot.`` prefix."""
    return {
        **feeding.KEYS,
        "codec": "bands",
        "temperature": f"{temperature:.4f}",
        "training_data": "FACED differential entropy (Chen et al. 2023, Sci Data 10:740; CC-BY-4.0 as stated by NEMAR "
        "nm000112), subjects 0-79 without 23",
        "notice": "Research tool, not a medical device. Most of its score on FACED is recognising the film clip.",
    }


def _train(material: Material, schedule: finetune.Schedule, before: Path | None, folder: Path) -> None:
    """Run a schedule on all weights, from those that the one before left, or from nothing."""
    model, tokenizer = _load(before) if before else _new(material, schedule.seed)
    finetune.train(model, tokenizer, material, schedule, folder.name)
    _save(model, tokenizer, folder)


def _new(material: Material, seed: int) -> tuple[Any, PreTrainedTokenizerFast]:
    examples = islice(material.examples(seed=0), TOKENIZER_EXAMPLES)
    tokenizer = base.train_tokenizer(message["content"] for example in examples for message in example.messages)
    model = base.new_model(tokenizer, seed)
    _say(f"{model.num_parameters() / 1e6:.2f} million parameters, {len(tokenizer)} tokens")
    return model, tokenizer


def _train_adapter(material: Material, base_folder: Path, folder: Path) -> None:
    model, tokenizer = _load(base_folder)
    adapted = finetune.adapter(model)
    finetune.train(adapted, tokenizer, material, LORA, "adapter")
    _save(adapted, tokenizer, folder)


def calibrate(base_folder: Path, adapter_folder: Path, material: Material) -> float:
    """The adapted model's temperature: it minimises the cross-entropy of the label slot, evidence in the prompt."""
    import torch
    from peft import PeftModel

    base_model, tokenizer = _load(base_folder)
    model = PeftModel.from_pretrained(base_model, adapter_folder).eval()
    labels = finetune.label_tokens(tokenizer)
    scores, truths = [], []
    for example in islice((e for e in material.examples(seed=4) if e.truth is not None), CALIBRATION_EXAMPLES):
        encoded = finetune.encode(example, tokenizer)
        with torch.no_grad():
            logits = model(torch.tensor([encoded.ids[: encoded.slot]])).logits[0, -1, labels]
        scores.append(logits.double().numpy())
        truths.append(example.truth)
    arranged = np.stack(scores)[None, :, None]
    return fit_decoder.temperature(arranged, np.array(truths))


def _load(folder: Path) -> tuple[Any, PreTrainedTokenizerFast]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)


def _save(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Beside, then renamed: a killed run leaves no half checkpoint that the next one would take for whole."""
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    model.save_pretrained(beside)
    tokenizer.save_pretrained(beside)
    (beside / "README.md").write_text(CARD)
    beside.rename(folder)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 2 and a sentence on bad input."""
    parser = argparse.ArgumentParser(prog="python -m copilot.training.make_model", description=__doc__)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/model"))
    parser.add_argument("--out", type=Path, default=Path("models"))
    options = parser.parse_args(arguments)
    try:
        make(options.features, options.work, options.out)
    except (CorpusError, ConvertError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
