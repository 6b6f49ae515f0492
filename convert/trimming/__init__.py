"""Which tokens a corpus needs, and a vocabulary closed under merges: the rooms behind ``trim``."""
