"""A folder of recordings to records and one summary: ``python -m copilot batch FOLDER --out DIR``."""
