"""Turn an EEG file into letters and probabilities; this package knows nothing of engines, records or the web."""
