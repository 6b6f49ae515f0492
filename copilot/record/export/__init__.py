"""Export records as Markdown, JSON, PDF and FHIR."""
