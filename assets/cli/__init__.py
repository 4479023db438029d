"""Commands that run assets."""
