"""Make draft records and one summary from a folder of recordings: ``python -m copilot batch FOLDER --out DIR``."""
