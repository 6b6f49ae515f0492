"""From a fine-tuned checkpoint to files that llama.cpp and Ollama run."""
