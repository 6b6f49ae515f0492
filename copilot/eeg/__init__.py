"""From an EEG file to letters and probabilities; knows nothing of engines, records or the web."""
