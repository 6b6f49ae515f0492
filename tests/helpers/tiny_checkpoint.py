"""A small seeded Qwen2 or Llama checkpoint with its own byte-level BPE tokenizer: real in every part but size."""

from pathlib import Path

TEXT = """The signal is calm and even. Frontal alpha is stronger on the left than on the right side.
How sure are you? This is a draft and not a diagnosis; talk to someone you trust, it's what I'd do.
Ärger, Überraschung, naïve café, señor, 你好世界, 12345 samples in 10 s.\n\n  - breathe slowly\n  - take a walk\n"""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CARD = """---
name: Tiny Copilot
license: apache-2.0
language: [en, de]
description: A model for tests.
---
# Tiny Copilot
"""
#: Qwen2-0.5B pruned: by 3/7 in two roundings, and by a true half, whose query heads are narrower than the model.
SHAPES = {
    "448-7-1-2432": {"hidden": 448, "heads": 7, "kv_heads": 1, "ffn": 2432},
    "448-6-2-2432": {"hidden": 448, "heads": 6, "kv_heads": 2, "ffn": 2432, "head_dim": 64},
    "512-8-2-2560": {"hidden": 512, "heads": 8, "kv_heads": 2, "ffn": 2560},
}


def make_tokenizer(texts=(TEXT,) * 3, size=420):
    """Qwen2's tokenizer as transformers builds it, trained on a few lines, with one token of each added kind."""
    from transformers import Qwen2Tokenizer

    blank = Qwen2Tokenizer(eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer = blank.train_new_from_iterator(texts, vocab_size=size, show_progress=False)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens(["<eeg>"])
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_llama_tokenizer(steps, *, whole_words: bool):
    """A byte-level BPE tokenizer that cuts text in the given steps before it merges, and begins texts as Llama 3's.

    Args:
        steps: of ``tokenizers.pre_tokenizers``.
        whole_words: take a word that is a token without merging.
    """
    import tokenizers
    from tokenizers import decoders, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    control = ["<|begin_of_text|>", "<|eot_id|>"]
    model = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=whole_words))
    model.pre_tokenizer = pre_tokenizers.Sequence(steps)
    model.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    model.train_from_iterator([TEXT] * 3, trainer)
    model.add_special_tokens(control)
    model.post_processor = processors.TemplateProcessing(
        single=f"{control[0]} $A", special_tokens=[(control[0], model.token_to_id(control[0]))]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, bos_token=control[0], eos_token=control[1])
    tokenizer.chat_template = TEMPLATE.replace("<|im_start|>", "<|begin_of_text|>").replace("<|im_end|>", "<|eot_id|>")
    return tokenizer


def make_checkpoint(
    folder: Path,
    *,
    tied: bool = True,
    hidden: int = 64,
    layers: int = 2,
    ffn: int = 96,
    heads: int = 4,
    kv_heads: int = 2,
    head_dim: int | None = None,
    rows: int | None = None,
    llama: bool = False,
    tokenizer=None,
    dtype: str = "float32",
    **config,
) -> Path:
    """Save model, tokenizer and card to ``folder``; the embedding has a few rows more than there are tokens."""
    import torch
    import transformers

    tokenizer = tokenizer or make_tokenizer()
    torch.manual_seed(7)
    config = {
        "vocab_size": rows or len(tokenizer) + 5,
        "hidden_size": hidden,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 20000.0},
        "tie_word_embeddings": tied,
        "initializer_range": 1.6 / hidden**0.5,  # large enough for attention and positions to matter in the logits
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.pad_token_id,
    } | config
    if head_dim:  # after pruning, not what the other numbers say
        config["head_dim"] = head_dim
    family = "Llama" if llama else "Qwen2"
    model = getattr(transformers, f"{family}ForCausalLM")(getattr(transformers, f"{family}Config")(**config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:  # they start as zeros and ones, which would hide a mistake
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return folder
