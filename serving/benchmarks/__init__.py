"""Benchmarks of inference: what serves, measured beside what others would do."""
