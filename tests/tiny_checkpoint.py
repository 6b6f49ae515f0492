"""A small seeded Qwen2 checkpoint with its own byte-level BPE tokenizer: real in every part but size."""

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


def make_tokenizer():
    """Qwen2's tokenizer as transformers builds it, trained on a few lines, with one token of each added kind."""
    from transformers import Qwen2Tokenizer

    blank = Qwen2Tokenizer(eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer = blank.train_new_from_iterator([TEXT] * 3, vocab_size=420, show_progress=False)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.add_tokens(["<eeg>"])
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_checkpoint(folder: Path, *, tied: bool = True, hidden: int = 64, layers: int = 2, ffn: int = 96) -> Path:
    """Save model, tokenizer and card to ``folder``; the embedding has a few rows more than there are tokens."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(7)
    config = Qwen2Config(
        vocab_size=len(tokenizer) + 5,
        hidden_size=hidden,
        intermediate_size=ffn,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 20000.0},
        tie_word_embeddings=tied,
        initializer_range=0.2,  # large enough for attention and positions to matter in the logits
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.pad_token_id,
    )
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:  # they start as zeros and ones, which would hide a mistake
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return folder
