"""Merge a LoRA adapter into the checkpoint it was trained on.

``python -m convert merge --base DIR --adapter DIR --out DIR``

The merge is proved before it is written: the merged model must compute what the adapted one computed. That catches what
merging loses elsewhere without a word, such as an adapter on one of two tied embeddings.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

from convert.files import ConvertError, read_json, written_whole

log = logging.getLogger(__name__)

# What makes a checkpoint talk besides its weights; copied as it is, so that template and stop tokens cannot change.
COMPANIONS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
    "README.md",
)
WEIGHTS = "adapter_model.safetensors"
TOLERANCE = 1e-3  # of the logits' standard deviation; float32 rounding of W + BA stays well under it


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Write ``base`` with ``adapter`` merged into its weights as a new checkpoint folder ``out``.

    Adds in float32 and saves in the base's own type. The sum is that of LoRA (Hu et al. 2021, arXiv 2106.09685, eq. 3).

    Raises:
        ConvertError: the two do not fit, weights would be re-initialised or untied, or ``out`` cannot be written.
    """
    dtype = _saved_dtype(read_json(base / "config.json"))
    read_json(adapter / "adapter_config.json")
    if not (adapter / WEIGHTS).is_file():
        raise ConvertError(f"{adapter} has no {WEIGHTS}; name the folder that peft saved the adapter to.")
    with written_whole(out) as partial:
        log.info("Loading %s", base)
        model = _load(base)
        log.info("Merging %s", adapter)
        merged = _merge_proved(model, adapter)
        log.info("Writing %s", out)
        merged.to(dtype).save_pretrained(partial)
        for name in COMPANIONS:
            if (base / name).is_file():
                shutil.copyfile(base / name, partial / name)


def _saved_dtype(config: dict[str, Any]) -> Any:
    import torch

    return getattr(torch, str(config.get("dtype") or config.get("torch_dtype") or "float32"))


def _load(base: Path) -> Any:
    """Load the base in float32, refusing a checkpoint that transformers would complete with random weights."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{base} cannot be loaded as a language model: {_first_line(error)}") from error
    for kind in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if names := report.get(kind):
            raise ConvertError(f"{base} does not fit its config.json: {kind.replace('_', ' ')} {min(map(str, names))}.")
    return model.eval()


def _merge_proved(model: Any, adapter: Path) -> Any:
    import torch
    from peft import PeftModel

    tied = _tied(model)  # before peft changes the model in place
    try:
        adapted = PeftModel.from_pretrained(model, adapter).eval()
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{adapter} is no adapter for this base: {_first_line(error)}") from error
    _check_complete(adapted, adapter)
    probe = torch.arange(min(64, model.config.vocab_size))[None]
    with torch.no_grad():
        before = adapted(input_ids=probe).logits
        merged = adapted.merge_and_unload()
        merged.tie_weights()
        after = merged(input_ids=probe).logits
    same = bool((before - after).abs().max() <= TOLERANCE * before.std())  # False for NaN too
    if not same or _tied(merged) != tied:
        raise ConvertError(
            f"Merging {adapter} would change what the model computes or untie its embeddings; "
            "where the base ties embedding and output head, train neither."
        )
    return merged


def _tied(model: Any) -> bool:
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight


def _check_complete(adapted: Any, adapter: Path) -> None:
    """Refuse an adapter of which peft loaded only a part: it skips names it does not know."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(adapter / WEIGHTS, framework="pt") as file:
        saved = {name for name in file.keys() if "lora_" in name}  # noqa: SIM118 - not a dict
    # Left to decide about embeddings by itself, peft would look the base up on the Hub.
    loaded = {name for name in get_peft_model_state_dict(adapted, save_embedding_layers=False) if "lora_" in name}
    if strays := saved ^ loaded:
        raise ConvertError(f"{adapter} does not belong to this base: {min(strays)} is only in one of the two.")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]
