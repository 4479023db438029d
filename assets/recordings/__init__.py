"""Recordings of the archive, indexed."""
