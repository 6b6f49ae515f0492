"""Read EEG file formats, a family of them per module; ``detect`` finds out which one a file has."""
