"""Qwen2's real tokenizer as a folder of Hugging Face's, rebuilt from the vocabulary file that llama.cpp tests with.

That file lies beside the checkout where it was put there; tests that need it are skipped where it is not.
"""

from pathlib import Path

import pytest

from copilot.llm.gguf_header import open_model_file
from tests.helpers.tiny_checkpoint import TEMPLATE

VOCABULARY = Path(__file__).parents[3] / "shared" / "data" / "qwen2" / "ggml-vocab-qwen2.gguf"
#: Rows of Qwen2's embedding: more than it has tokens.
ROWS = 151_936
NORMAL = 1


def make_qwen2_tokenizer():
    """151,643 tokens of text and the three control tokens, ``<|im_end|>`` ending a text as in the chat models."""
    from transformers import Qwen2Tokenizer

    if not VOCABULARY.is_file():
        pytest.skip(f"{VOCABULARY} is not there")
    values = open_model_file(VOCABULARY).metadata
    kinds = values["tokenizer.ggml.token_type"]
    vocab = {text: i for i, text in enumerate(values["tokenizer.ggml.tokens"]) if kinds[i] == NORMAL}
    merges = [tuple(merge.split(" ")) for merge in values["tokenizer.ggml.merges"]]
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=merges)
    tokenizer.add_special_tokens({"additional_special_tokens": control})
    tokenizer.eos_token = control[2]
    tokenizer.chat_template = TEMPLATE
    assert tokenizer.convert_tokens_to_ids(control) == [151_643, 151_644, 151_645]
    return tokenizer
