"""The shadow: both sides of the same windows reach the observer, and nobody waits for the canary."""

from __future__ import annotations

import threading
import time

import grpc
import numpy as np
import pytest

from serving.client import ModelClient, Route
from serving.client.routes import point_of
from tests.support.waiting import wait_for
from tidzam_platform.errors import SettingsError

AUDIO = np.full((2, 5), 0.25, np.float32)


class Pairs:
    """Collects what the observer is told."""

    def __init__(self) -> None:
        self.seen: list[tuple] = []

    def __call__(self, stable, canary, latency, key) -> None:
        self.seen.append((stable, canary, latency, key))


def test_both_answers_for_the_same_windows_reach_the_observer(labelled):
    pairs = Pairs()
    with ModelClient(labelled.address, route=Route.shadow(1), on_pair=pairs) as client:
        for number in range(8):
            audio = np.full((2, 5), number, np.float32)
            assert client.predict(audio, key=f"window {number}").generation == 3
            audio[:] = 99  # callers reuse their buffers
        wait_for(lambda: client.counts.shadow_pairs == 8, "eight pairs")
        assert client.counts.shadow_pending == 0
    assert {key for *_, key in pairs.seen} == {f"window {number}" for number in range(8)}
    for stable, canary, latency, key in pairs.seen:
        assert (stable.generation, canary.generation) == (3, 4)
        assert canary.scores[:, 1].tolist() == stable.scores[:, 1].tolist() == [float(key.split()[1])] * 2
        assert latency.stable_s > 0
        assert latency.canary_s > 0


def test_a_share_of_the_windows_is_shown_to_the_canary(labelled):
    pairs = Pairs()
    keys = [str(number) for number in range(40)]
    with ModelClient(labelled.address, route=Route.shadow(0.5), on_pair=pairs) as client:
        for key in keys:
            client.predict(AUDIO, key=key)
        wait_for(lambda: client.counts.shadow_pending == 0, "the shadow to finish")
        counts = client.counts
    shown = {key for *_, key in pairs.seen}
    assert 0 < counts.shadow_pairs + counts.shadow_dropped < len(keys)
    assert all(Route.shadow(0.5).is_shadowed(point_of(key)) for key in shown)


def test_a_slow_canary_is_not_waited_for_and_what_it_misses_is_counted(labelled):
    gate = labelled.hold("canary")
    pairs = Pairs()
    with ModelClient(labelled.address, route=Route.shadow(1), on_pair=pairs, deadline_s=60) as client:
        for _ in range(50):
            assert client.predict(AUDIO).generation == 3
        counts = client.counts
        assert counts.shadow_pending == 16
        assert counts.shadow_dropped == 34
        gate.set()
        wait_for(lambda: client.counts.shadow_pairs == 16, "what was kept")
    assert len(pairs.seen) == 16


def test_what_waits_is_bounded_in_bytes_too(labelled):
    gate = labelled.hold("canary")
    audio = np.zeros((64, 2000), np.float32)  # half a megabyte
    with ModelClient(
        labelled.address, route=Route.shadow(1), on_pair=Pairs(), max_message_mb=1, deadline_s=60
    ) as client:
        for _ in range(5):
            client.predict(audio)
        assert client.counts.shadow_pending == 2
        assert client.counts.shadow_dropped == 3
        gate.set()
        wait_for(lambda: client.counts.shadow_pairs == 2, "what was kept")


def test_without_a_canary_nothing_is_sent_and_it_is_found_when_it_comes(scripted, monkeypatch):
    monkeypatch.setattr("serving.client.missing_labels.RECHECK_S", 0.2)
    scripted.labels["stable"] = 3
    pairs = Pairs()
    with ModelClient(scripted.address, route=Route.shadow(1), on_pair=pairs) as client:
        client.predict(AUDIO)
        wait_for(lambda: client.counts.shadow_absent == 1, "the canary to be missed")
        client.predict(AUDIO)
        assert client.counts.shadow_absent == 2
        assert sum(asked.label == "canary" for asked in scripted.asked) == 1
        scripted.versions.add(4)
        scripted.labels["canary"] = 4

        def is_compared() -> bool:
            client.predict(AUDIO)
            return bool(pairs.seen)

        wait_for(is_compared, "the canary to be found")
    assert pairs.seen[0][1].generation == 4


def test_a_canary_that_fails_is_counted_and_harms_no_answer(labelled):
    labelled.fail_always(grpc.StatusCode.INTERNAL, label="canary")
    pairs = Pairs()
    with ModelClient(labelled.address, route=Route.shadow(1), on_pair=pairs) as client:
        for _ in range(3):
            assert client.predict(AUDIO).generation == 3
        wait_for(lambda: client.counts.shadow_failed == 3, "the failures")
    assert pairs.seen == []


def test_an_observer_that_raises_is_counted_and_told_the_next_pair(labelled, caplog):
    told: list[int] = []

    def observer(stable, canary, latency, key) -> None:
        told.append(canary.generation)
        if len(told) == 1:
            raise OSError("disk full")

    with ModelClient(labelled.address, route=Route.shadow(1), on_pair=observer) as client:
        client.predict(AUDIO)
        wait_for(lambda: client.counts.shadow_failed == 1, "the failure")
        client.predict(AUDIO)
        wait_for(lambda: client.counts.shadow_pairs == 1, "the next pair")
    assert told == [4, 4]
    assert "disk full" in caplog.text


def test_closing_drops_what_waits_and_nobody_is_told_afterwards(labelled):
    labelled.hold("canary")
    pairs = Pairs()
    client = ModelClient(labelled.address, route=Route.shadow(1), on_pair=pairs, deadline_s=60)
    for _ in range(5):
        client.predict(AUDIO)
    wait_for(lambda: sum(asked.label == "canary" for asked in labelled.asked) == 2, "two at the canary")
    began_s = time.monotonic()
    client.close()
    assert time.monotonic() - began_s < 5
    counts = client.counts
    assert counts.shadow_pending == 0
    assert (counts.shadow_dropped, counts.shadow_failed) == (3, 2)
    assert pairs.seen == []
    wait_for(
        lambda: not any(thread.name.startswith("canary-shadow") for thread in threading.enumerate()),
        "the shadow's threads to end",
    )


def test_a_shadow_that_nobody_looks_at_is_refused(labelled):
    with pytest.raises(SettingsError, match="on_pair"):
        ModelClient(labelled.address, route=Route.shadow(0.5))
    with ModelClient(labelled.address) as client, pytest.raises(SettingsError, match="on_pair"):
        client.predict(AUDIO, route=Route.shadow(0.5))
