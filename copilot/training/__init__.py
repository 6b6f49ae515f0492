"""Make the corpus, prune, fine-tune and evaluate models; the only part of ``copilot`` that imports torch."""
