"""Clean recordings: line noise, bad channels, ICA, and the judgement of quality."""
