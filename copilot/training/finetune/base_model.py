"""Load the base of fine-tuning from a folder or the Hugging Face Hub, or create the project's own, untrained."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.text import first_line
from copilot.training import tiny_qwen2
from copilot.training.faced import CorpusError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NEW = "new"
NEW_SEED = 0
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def load(name: str) -> tuple[Any, PreTrainedTokenizerFast]:
    """Load a causal language model in float32 and its tokenizer; neither foreign code nor pickles are run.

    Args:
        name: a folder, or a name on the Hub.

    Raises:
        CorpusError: there is no such model, or it lacks weights that its configuration asks for.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not Path(name).is_dir() and not HUB_NAME.fullmatch(name):
        raise CorpusError(f"{name} is neither a folder nor a name on the Hub such as Qwen/Qwen2-0.5B-Instruct.")
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            name, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CorpusError(f"The base {name} cannot be loaded: {first_line(error).rstrip('.')}.") from error
    if lacking := sorted(found["missing_keys"]):
        raise CorpusError(f"The base {name} is not complete: {lacking[0]} is missing.")
    return model, tokenizer


def create(texts: Iterable[str]) -> tuple[Any, PreTrainedTokenizerFast]:
    """Create the project's own small model with random weights, and a tokenizer trained on ``texts``."""
    tokenizer = tiny_qwen2.train_tokenizer(texts)
    return tiny_qwen2.create_model(tokenizer, NEW_SEED), tokenizer
