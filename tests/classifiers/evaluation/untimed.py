"""Hypothesis without a clock: a busy machine, or the first import of scikit-learn, is no failure."""

from hypothesis import HealthCheck, settings

untimed = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
