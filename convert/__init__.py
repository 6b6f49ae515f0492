"""From a fine-tuned checkpoint to files that llama.cpp, Ollama, the Hub and a Space run.

Of ``copilot`` it uses only the engine room: what llama.cpp needs to run a file safely, how a header is read, and the
prefix of the metadata. EEG, prompts and emotions it knows nothing of.
"""
