"""What a generation heard in the archive, by day."""
