"""What pruning makes of a shape, and whether that runs and quantises: the rooms behind ``plan``."""
