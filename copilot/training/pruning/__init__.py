"""What is kept, and cutting it out: the rooms behind ``prune``."""
