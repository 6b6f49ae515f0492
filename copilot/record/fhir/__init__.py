"""The resources of a record's FHIR bundle, by theme; ``copilot.record.as_fhir`` puts them together."""
