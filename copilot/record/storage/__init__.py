"""The store of records: one SQLite file."""
