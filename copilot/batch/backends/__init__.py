"""Backends that run a batch's workers: processes of this machine, or a Ray cluster."""
