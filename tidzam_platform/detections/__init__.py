"""Detections: events of a source in time, one Parquet layout for live and archive."""
