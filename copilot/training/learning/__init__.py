"""Conversations as tokens, the loop, going on after a kill: the rooms behind ``finetune`` and ``make_model``."""
