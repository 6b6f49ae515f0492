"""A chat template in Go's language, and texts that stay in their quotes: the rooms behind ``ollama``."""
