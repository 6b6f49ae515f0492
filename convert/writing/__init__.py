"""From a checkpoint's numbers and tokenizer to those of a GGUF file: the rooms behind ``gguf``."""
