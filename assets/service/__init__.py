"""What serves now: seen from outside, made by nobody here."""
