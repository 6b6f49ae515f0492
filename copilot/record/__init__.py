"""Draft, review, store and export medical records."""
