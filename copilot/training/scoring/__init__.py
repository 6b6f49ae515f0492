"""What the evaluation is made of: conditions, read-outs, references, metrics and the report."""
