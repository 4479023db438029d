"""The benches of the serving tier."""
