"""The resources of a record's FHIR bundle, by theme; ``copilot.record.export.fhir.bundle`` puts them together."""
