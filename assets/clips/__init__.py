"""Clips by day."""
