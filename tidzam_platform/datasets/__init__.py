"""Datasets: import of labelled audio, sides by group, immutable versions."""
