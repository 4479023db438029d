"""Commands of the serving tier."""
