"""Read EEG file formats, one format or kind of file per module."""
