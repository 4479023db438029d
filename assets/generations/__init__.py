"""Generations in the model repository."""
