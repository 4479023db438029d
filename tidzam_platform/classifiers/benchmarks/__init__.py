"""Benchmarks of classifiers: quality on the same folds, and what it costs."""
