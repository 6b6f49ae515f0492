"""What llama.cpp computes from a GGUF file beside what transformers computes from the checkpoint it came from."""

import numpy as np

from copilot.llm.llama_cpp import NativeModel

PROMPTS = [
    "How sure are you?",
    "It's 12345 samples, isn't it?  3.14",
    "Two\n\nlines\r\n  and\ttabs   ",
    "Überraschung 你好 🙂 naïve señor",
    "<|im_start|>user\nhello there<|im_end|>\n",
    "a b c d z a b c d z a b c d z",
    "The quick brown fox jumps over the lazy dog.",
    "<|im_start|>system\nYou read EEG.<|im_end|>\n<|im_start|>user\nAm I calm?<|im_end|>\n<|im_start|>assistant\n",
    "def mean(values):\n    return sum(values) / len(values)\n",
    "Die Sitzung begann um 9:30 Uhr und endete um 10:15 Uhr.",
    "脑电信号平静而均匀。",
    "Почему сигнал такой шумный?",
    "x = [0.1, -2.5, 3e-7]; y = x[::-1]",
    "frontal alpha: left 4.1, right 3.7; beta: 1.2; theta: 5.0",
    "No. No, no, no! ... Yes?",
    "https://example.org/a/b?c=d&e=%20#f",
    "CAPITALS and lower, camelCase and snake_case",
    "1 22 333 4444 55555 666666",
    "(((nested))) [[brackets]] {{and}} <more>",
    "A long sentence, which goes on, and on, so that positions matter: one, two, three, four, five, six, seven, eight, "
    "nine, ten, eleven, twelve, and then again from the beginning, one, two, three, until nobody listens any more.",
]


def load(folder):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def assert_same_logits(folder, gguf_file, prompts=PROMPTS):
    """The largest is the same token at every position, and no score differs by 1 % of their standard deviation.

    Returns:
        The largest difference, in standard deviations.
    """
    import torch
    from transformers import AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), load(folder)
    native = NativeModel(gguf_file, threads=1, context=512, exact=True)
    largest = 0.0
    for prompt in prompts:
        tokens = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert native.tokenize(prompt, control=True) == tokens
        with torch.no_grad():
            theirs = model(input_ids=torch.tensor([tokens])).logits[0].numpy()
        for ours, row in zip(native.all_logits(tokens), theirs, strict=True):
            assert ours.argmax() == row.argmax()
            largest = max(largest, float(np.abs(ours - row).max() / row.std()))
    native.close()
    assert largest < 0.01
    return largest
