"""Run a batch's workers in processes of this machine or on a Ray cluster."""
