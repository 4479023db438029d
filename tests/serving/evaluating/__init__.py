"""Scoring a generation on labelled audio."""
