"""Draw a record as a PDF: its pages, front matter, fields and figures."""
