"""Exports of a record: Markdown, JSON, PDF and FHIR."""
