"""LoRA adapters with seeded weights that change something, and what a checkpoint computes with and without them."""

from pathlib import Path


def make_adapter(base: Path, folder: Path, **options) -> Path:
    """Save an adapter of rank 4 for ``base`` as peft saves it; ``options`` are those of ``LoraConfig``."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    config = LoraConfig(r=4, lora_alpha=16, task_type="CAUSAL_LM", **options)
    adapted = get_peft_model(load(base), config)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:  # B starts as zeros: an adapter that changes nothing
                parameter.copy_(0.1 * torch.randn_like(parameter))
    adapted.save_pretrained(folder)
    return folder


def load(folder: Path):
    """The checkpoint in float32, by transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def logits(model, tokens):
    """Shape (tokens, vocabulary), numpy."""
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens])).logits[0].numpy()
