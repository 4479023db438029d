"""What ``bench swap`` tells, on tiny models; and that it would notice what it says did not happen."""

from __future__ import annotations

import shutil

import pytest

from serving.benchmarks.swap import SwapPlan, measure_swap
from serving.benchmarks.swap_traffic import Answer, Look, from_unavailable
from serving.benchmarks.swap_versions import Versions, publish_versions


@pytest.mark.long
def test_swaps_under_load_and_the_two_bad_ones(exported, home):
    versions = Versions()

    def export(version, folder):
        shutil.copytree(exported(version), folder, dirs_exist_ok=True)

    publish_versions(home.home, versions, export)
    report = measure_swap(
        home.home, SwapPlan(swaps=4, clients=3, rate_hz=60, pause_s=0.3, rest_s=0.3, versions=versions)
    )
    assert report["failures"] == {}
    assert (report["failed"], report["wrong"]) == (0, 0)
    assert report["answers_from_unavailable"] == 0
    assert report["bad_versions_answered"] == 0
    assert report["swaps"] == len(report["memory_mb"]) == 4
    assert report["memory_after_first_mb"] == report["memory_mb"][0] > 100
    assert report["memory_ratio"] == pytest.approx(report["memory_mb"][-1] / report["memory_mb"][0])
    # Each swap was seen by somebody: the base version and both newer ones answered.
    assert set(report["answers_by_version"]) >= {"2", "3", "4"}
    assert sum(report["answers_by_version"].values()) == report["requests"] > 60
    assert report["looks_at_states"] > 60
    # The bad ones were refused for what is wrong with them.
    corrupt, unfit = report["bad_versions"]["corrupt"], report["bad_versions"]["unfit"]
    assert "is damaged" in corrupt["promote"]
    assert corrupt["reload"].startswith("FAILED_PRECONDITION: version 5 ")
    assert "is damaged" in corrupt["reload"]
    assert "warm-up request 0" in unfit["load"]


def answer(version, sent_s, answered_s):
    return Answer(sent_s, sent_s, answered_s, version, is_right=True)


def look(at_s, *available):
    return Look(at_s, at_s + 0.1, frozenset(available))


# Version 2 becomes AVAILABLE between 2.1 and 3, version 1 ceases to be between 4.1 and 5.
LOOKS = [look(1, 1), look(2, 1), look(3, 1, 2), look(4, 1, 2), look(5, 2), look(6, 2)]


@pytest.mark.parametrize(
    ("one", "is_stray"),
    [
        (answer(1, 1.5, 1.6), False),
        (answer(2, 1.2, 1.9), True),  # still loading when it was asked and when it answered
        (answer(2, 2.5, 2.9), False),  # it came up meanwhile
        (answer(2, 2.5, 5.5), False),
        (answer(1, 4.5, 5.5), False),  # taken before it went
        (answer(1, 5.3, 5.9), True),  # gone before it was asked
        (answer(7, 1.0, 7.0), True),  # never there
        (answer(1, 0.0, 0.5), False),  # before the first look: the first one counts
        (answer(1, 6.5, 7.0), True),  # after the last: that one counts
    ],
)
def test_an_answer_counts_if_its_version_was_available_around_it(one, is_stray):
    assert from_unavailable([one], LOOKS) == ([one] if is_stray else [])


def test_without_a_look_nothing_counts_as_available():
    stray = answer(1, 1, 2)
    assert from_unavailable([stray], []) == [stray]
