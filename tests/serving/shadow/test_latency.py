"""The histogram: bounded, mergeable, and never further off than a bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.shadow.latency import BOUNDS_S, LatencyHistogram

LATENCIES = st.lists(st.floats(0, 100), min_size=1, max_size=50)


def histogram_of(latencies: list[float]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for seconds in latencies:
        histogram.add(seconds)
    return histogram


@given(LATENCIES, st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(latencies, share):
    found = histogram_of(latencies).quantile_s(share)
    ordered = sorted(latencies)
    true = next(value for rank, value in enumerate(ordered, start=1) if rank >= share * len(ordered))
    lower = max((bound for bound in BOUNDS_S if bound < true), default=0.0)
    upper = min((bound for bound in BOUNDS_S if bound >= true), default=max(latencies))
    assert lower - 1e-9 <= found <= upper + 1e-9
    assert found <= max(latencies) + 1e-9


@given(LATENCIES, LATENCIES)
def test_merged_ones_say_what_one_of_all_says(left, right):
    merged = histogram_of(left)
    merged.merge(LatencyHistogram.from_json(histogram_of(right).to_json()))
    both = histogram_of(left + right)
    assert merged.counts == both.counts
    assert merged.longest_s == both.longest_s
    assert merged.mean_s == pytest.approx(both.mean_s)


def test_of_none_nothing_is_said():
    assert LatencyHistogram().mean_s is None
    assert LatencyHistogram().quantile_s(0.5) is None
