"""Hearing and learning: front end, architectures, training, evaluation, decision, events."""
