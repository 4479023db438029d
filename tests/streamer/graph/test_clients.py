"""Clients of a graph that does not move for a while: what it did not let go is no obstacle later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from streamer.engine.graph import ANALYZER, LIVE_STREAMS, ClockGraph
from streamer.engine.graph.clock_graph import ClockClient
from streamer.engine.rings import ChannelRings
from tests.streamer.graph.conftest import MakeSource
from tidzam_platform.errors import AudioGraphError


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The graph should call its clients, and does not."""
    with monkeypatch.context() as patch:
        patch.setattr(ClockClient, "is_called", lambda _client: True)
        patch.setattr("streamer.engine.graph.clients._SETTLE_S", 0.02)
        yield


@pytest.fixture
def still() -> Iterator[ClockGraph]:
    """A graph that only moves when it is told to."""
    with ClockGraph(period_frames=256, paced=False) as graph:
        yield graph


def test_a_slot_that_could_not_be_let_go_is_recorded_again_once_it_is_bound(
    still: ClockGraph, rings: ChannelRings, make_source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = make_source(channels=2)
    source, inputs = still.open_source("marsh", ring), still.open_inputs(ANALYZER, rings)
    still.connect(source.ports[0], inputs.bind(3).port)
    with hanging(monkeypatch), pytest.raises(AudioGraphError, match="has not called"):
        inputs.unbind(3)
    still.step(4)
    bound = inputs.bind(3)
    assert bound.since_frame == 4 * 256
    assert still.connections() == set(), "it is another port now"
    still.connect(source.ports[1], bound.port)
    ring.playing = True
    still.step(1)
    # Frame n of channel 1 of 2 is 2n + 1.
    np.testing.assert_array_equal(rings.data[3, 1024:1280], 2 * np.arange(256) + 1)
    inputs.unbind(3)
    assert inputs.ports == {}


def test_a_port_of_a_bundle_that_could_not_be_let_go_can_be_given_to_another(
    still: ClockGraph, make_source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = still.open_bundle(LIVE_STREAMS, 2)
    first, second = make_source("one", channels=1), make_source("two", channels=1)
    streams.add(1, first)
    with hanging(monkeypatch), pytest.raises(AudioGraphError, match="has not called"):
        streams.remove(1)
    first.playing = second.playing = True
    assert streams.add(1, second) == "tidzam-livestreams:out_1"
    still.step(3)
    assert (first.played_frames, second.played_frames) == (0, 3 * 256)
