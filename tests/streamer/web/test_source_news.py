"""The event ``JackSource``: which sources play, told when that changes."""

from __future__ import annotations

import pytest

from streamer.web.sockets.source_news import starting_time
from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for


def test_sources_are_told_when_they_change(web: WebProcess, client: SocketClient, engine: FakeEngine) -> None:
    told = client.sources
    for name, more in (("marsh", {}), ("then", {"database": "marsh", "date": "2026-04-01-05-30-00"})):
        described = {"name": name, "url": "http://example.org/a.ogg", **more}
        client.call("sys", {"sys": {"loadsource": described}})
    engine.events.publish("source", source="marsh", state="playing")
    expected = [
        {"name": "marsh", "starting_time": "2026-11-21-10-00-00"},
        {"name": "then", "starting_time": "2026-04-01-05-30-00"},
    ]
    wait_for(lambda: expected in told, "both are told")
    number = len(told)
    engine.events.publish("source", source="marsh", state="playing")  # nothing changed
    client.call("sys", {"sys": {"unloadsource": {"name": "marsh"}}})
    engine.events.publish("source_removed", source="marsh")
    wait_for(lambda: told[-1] == expected[1:], "one is gone")
    assert len(told) <= number + 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"state": "starting", "state_since": "2026-04-01T05:00:00.000Z"}, None),
        ({"state": "playing", "state_since": "2026-04-01T05:00:00.000Z"}, "2026-04-01-05-00-00"),
        ({"state": "playing", "state_since": None, "specification": {}}, None),
        ({"state": "stalled", "specification": {"date": "2018-08-07-12-00-00"}}, "2018-08-07-12-00-00"),
        ({"specification": {"date": "2018-08-07T12:00:00+02:00"}}, "2018-08-07-10-00-00"),
        ({"specification": {"date": "2018-08-07T12:00:00"}}, "2018-08-07T12:00:00"),
    ],
)
def test_a_source_s_beginning_is_told_in_the_original_form(
    status: dict[str, object], expected: str | None
) -> None:
    assert starting_time(status) == expected
