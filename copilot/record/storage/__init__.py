"""Keep records in one SQLite file."""
