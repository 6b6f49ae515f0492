"""Texts to vectors, vectors to clusters and a map, and what both can tell: the rooms behind ``clusters``."""
