"""Load the base of a training, or create the project's own: a byte-level BPE tokenizer and a Qwen2 of random weights.

The bundled model needs no model hub. The architecture, the pre-tokenizer and the chat format are Qwen2's (Yang et al.
2024, arXiv 2407.10671), so that whatever runs a Qwen2 runs this model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copilot.eeg.text_encoding import ABSENT, PATTERN_NAMES, STRENGTHS
from copilot.text import first_line
from copilot.training.faced import CorpusError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")

VOCABULARY = 4096
CONTEXT = 4096
WIDTH = 256
#: Distance of a pattern's strongest word from its middle, relative to the spread of the patterns' middles.
STRONGEST = 2.4
END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

#: Qwen2's pre-tokenizer, llama.cpp's ``qwen2``: digits one by one, a space belongs to the word behind it.
PRE_TOKENIZER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


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


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on ``texts`` and the words of ``patterns``; other text is encoded by bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZER), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    lines = (" ".join(name + level for name in PATTERN_NAMES) for level in STRENGTHS + ABSENT)
    tokenizer.train_from_iterator(chain(texts, lines), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=TURN_END, pad_token=END_OF_TEXT)
    fast.chat_template = CHAT_TEMPLATE
    return fast


def create_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2ForCausalLM:
    """Create a Qwen2 of about 4 million parameters: seeded random weights, tied embeddings, pattern words in order."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=WIDTH,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        initializer_range=WIDTH**-0.5,  # Qwen2's own 0.02 fits a width of 2,500; here it halves the speed of learning
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(TURN_END),
        pad_token_id=tokenizer.convert_tokens_to_ids(END_OF_TEXT),
    )
    model = Qwen2ForCausalLM(config)

    # Place the embeddings of each pattern's nine words on a line, from the weakest to the strongest: a model would
    # learn by itself that ``bae`` is between ``bad`` and ``baf``, but needs about four times the examples.
    embeddings = model.get_input_embeddings().weight.detach()
    steps = torch.linspace(-1, 1, len(STRENGTHS))[:, None] * STRONGEST
    for name in PATTERN_NAMES:
        middle, direction = torch.randn(2, embeddings.shape[1]) * model.config.initializer_range
        for before in ("", " "):
            tokens = tokenizer([before + name + level for level in STRENGTHS], add_special_tokens=False).input_ids
            if all(len(ids) == 1 for ids in tokens):
                embeddings[[ids[0] for ids in tokens]] = middle + steps * direction
    return model
