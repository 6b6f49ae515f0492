"""A training of seconds, to be killed or started in several processes: ``python -m tests.helpers.tiny_training DIR``.

What it ends with is in ``DIR/result.safetensors``; its state in ``DIR/state``.
"""

import argparse
from pathlib import Path

import numpy as np

from copilot.training.finetune import trainer
from copilot.training.finetune.collate import Encoded
from copilot.training.finetune.schedule import Schedule

LABELS = range(20, 29)
STEPS = 60


def make_batches(seed=0, size=4, width=24):
    """Random tokens without end; the labels are taught to follow the token two places before them."""
    rng = np.random.default_rng(seed)
    while True:
        yield [make_example(rng, width) for _ in range(size)]


def make_example(rng, width):
    ids = rng.integers(0, 20, width).astype(np.int32)
    emotion = rng.integers(9)
    ids[9], ids[11] = emotion, LABELS[emotion]
    return Encoded(ids, np.arange(width) >= 11, 11, np.eye(9)[emotion])


def make_model(dropout=0.0):
    """A Qwen2 with 30 tokens; with an adapter where ``dropout`` is asked for."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(7)
    config = Qwen2Config(
        vocab_size=30,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = Qwen2ForCausalLM(config)
    return trainer.add_adapter(model, dropout=dropout) if dropout else model


def main():
    from safetensors.torch import save_file

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    trainer.SAVE_SECONDS = 0.0
    model = make_model(options.dropout)
    schedule = Schedule(steps=options.steps, rate=1e-2, warmup=5)
    trainer.train(model, make_batches(), schedule, LABELS, options.folder / "state", "tiny")
    save_file({name: p.detach().clone() for name, p in model.named_parameters()}, options.folder / "result.safetensors")


if __name__ == "__main__":
    main()
