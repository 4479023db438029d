"""Which connections come back after JACK was away."""

from __future__ import annotations

import pytest

from streamer.engine.graph.interface import Connection
from streamer.engine.graph.remembered import PATIENCE_S, RememberedConnections

OURS = Connection("marsh:out_1", "analyzer:input_1")
PERSONS = Connection("marsh:out_1", "system:playback_1")
OTHERS = Connection("recorder:out", "system:playback_2")
EVERY = {port for connection in (OURS, PERSONS, OTHERS) for port in connection}
WANTED = {"marsh:out_1", "analyzer:input_1"}


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def remembered(clock: Clock) -> RememberedConnections:
    """Ours and two of people are there."""
    made = RememberedConnections(clock)
    made.want(OURS, is_made=True)
    made.look({OURS, PERSONS, OTHERS}, EVERY, WANTED)
    return made


def test_nothing_is_made_while_all_is_well(remembered: RememberedConnections) -> None:
    assert remembered.to_make({OURS, PERSONS, OTHERS}, EVERY) == []
    assert remembered.to_make(set(), EVERY) == []


def test_after_a_death_all_is_made_as_soon_as_its_ports_are_there(remembered: RememberedConnections) -> None:
    remembered.lost()
    assert remembered.to_make(set(), set()) == []
    assert remembered.to_make(set(), EVERY - {"recorder:out"}) == [OURS, PERSONS]
    remembered.look({OURS, PERSONS}, EVERY - {"recorder:out"}, WANTED)
    assert remembered.to_make({OURS, PERSONS}, EVERY) == [OTHERS]
    assert remembered.to_make({OURS, PERSONS, OTHERS}, EVERY) == []


def test_people_are_waited_for_a_minute_and_our_own_for_ever(
    remembered: RememberedConnections, clock: Clock
) -> None:
    remembered.lost()
    clock.now_s += PATIENCE_S + 1
    assert remembered.to_make(set(), EVERY) == [OURS]


def test_what_somebody_undid_stays_undone(remembered: RememberedConnections) -> None:
    remembered.look({OURS}, EVERY, WANTED)
    remembered.lost()
    assert remembered.to_make(set(), EVERY) == [OURS]


def test_what_went_with_a_port_of_ours_is_kept(remembered: RememberedConnections) -> None:
    """JACK threw the client marsh out: its ports are gone, and what was connected to them."""
    remembered.look({OTHERS}, EVERY - {"marsh:out_1"}, WANTED)
    remembered.lost()
    assert remembered.to_make(set(), EVERY) == [OURS, PERSONS, OTHERS]


def test_what_the_engine_takes_away_is_forgotten(remembered: RememberedConnections) -> None:
    remembered.forget_ports(["marsh:out_1"])
    remembered.unwant(OTHERS)
    remembered.lost()
    assert remembered.to_make(set(), EVERY) == []


def test_what_is_wanted_while_there_is_no_graph_is_made_later() -> None:
    remembered = RememberedConnections(Clock())
    remembered.lost()
    remembered.want(OURS, is_made=False)
    assert remembered.to_make(set(), EVERY) == [OURS]
    remembered.unwant(OURS)
    assert remembered.to_make(set(), EVERY) == []
