"""Make the resources of a record's FHIR bundle; ``copilot.record.export.fhir.bundle`` combines them."""
