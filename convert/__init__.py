"""Convert a fine-tuned checkpoint to files that llama.cpp, Ollama, the Hub and a Space run.

From ``copilot`` this package uses only the code that runs llama.cpp safely, reads GGUF headers and names the metadata
keys. It does not depend on EEG, prompts or emotions.
"""
