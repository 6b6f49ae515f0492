"""The draft medical record and its exports."""
