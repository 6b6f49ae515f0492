"""What ``as_pdf`` draws a record with: the paper, and what stands on it."""
