"""Figures of classifiers and of sound events."""
