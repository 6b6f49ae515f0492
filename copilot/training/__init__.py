"""Corpus, fine-tuning and evaluation: the only room that opens torch."""
