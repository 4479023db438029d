"""The thread between the analyzer and the clients: what it does where nobody reads, and with what it does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from engineio.packet import MESSAGE, Packet
from engineio.payload import Payload
from hypothesis import given
from hypothesis import strategies as st

from streamer.web.access import Caller
from streamer.web.channel_patterns import channel_pattern
from streamer.web.core import WebCore
from streamer.web.sockets.clients import Client, Clients
from streamer.web.sockets.outgoing import (
    MAX_NEWS,
    MAX_NEWS_BYTES,
    MAX_POLLED_NEWS,
    News,
    OutgoingQueue,
)
from streamer.web.sockets.result_feed import ResultFeed
from streamer.web.sockets.subscription import Subscription
from streamer.web.sockets.telling import Teller, news_of
from tests.support.fake_analyzer import told_window
from tests.support.waiting import wait_for
from tidzam_platform.access import Role
from tidzam_platform.settings import Settings

ANYONE = Caller("anonymous", Role.LISTEN, None)


class Desk:
    """A feed, and clients that read nothing unless they are asked to."""

    def __init__(self, core: WebCore) -> None:
        self.core = core
        self.clients = Clients()
        self.feed = ResultFeed(core, self.clients, Teller(core.counts))

    def client(self, caller: Caller = ANYONE, *, greeted: bool = True, polls: bool = False) -> Client:
        """One that is connected."""
        queue = OutgoingQueue(lambda: None)
        session = SimpleNamespace(queue=queue, upgraded=not polls)
        made = Client(f"sid{len(self.clients)}", "owner", caller, session)
        if greeted:
            queue.put(Packet(MESSAGE, '0{"sid":"x"}'))
            queue.get_nowait()
        self.clients.add(made)
        return made

    def counted(self, name: str) -> int:
        """What is counted."""
        return self.core.counts.read()[name]


@pytest.fixture
def desk(home: Settings) -> Iterator[Desk]:
    core = WebCore(home)
    made = Desk(core)
    made.feed.start()
    yield made
    made.feed.stop()
    core.close()


def read(client: Client) -> list[tuple[str, Any]]:
    """The events that wait for a client."""
    found = []
    while client.session.queue.qsize():
        text = client.session.queue.get_nowait().encode()
        event, value = json.loads(text.removeprefix("42"))
        found.append((event, value))
    return found


def results(*windows: Any) -> dict[str, Any]:
    return {"event": "results", "windows": list(windows)}


def test_nobody_is_told_anything_before_it_is_told_that_it_is_connected(desk: Desk) -> None:
    early, late = desk.client(greeted=False), desk.client()
    desk.feed.take(results(told_window()))
    wait_for(lambda: late.session.queue.qsize() == 1, "the other one is told")
    assert early.session.queue.qsize() == 0
    early.session.queue.put(Packet(MESSAGE, '0{"sid":"x"}'))
    desk.feed.take(results(told_window()))
    wait_for(lambda: early.session.queue.qsize() == 2, "it is told")


def fill(client: Client) -> int:
    """As much news as may wait for a client; returns how many."""
    number = 0
    while client.offer(news_of("sys", [])):
        number += 1
    return number


def test_who_takes_nothing_costs_little_and_is_told_how_much_it_missed(desk: Desk) -> None:
    idle, busy = desk.client(), desk.client()
    assert fill(idle) == MAX_NEWS
    for number in range(3):
        desk.feed.take(results(told_window(after_s=number)))
        wait_for(lambda: busy.session.queue.qsize() > 0, "the busy one is told")
        assert [event for event, _ in read(busy)] == ["sys"], "one that reads misses nothing"
    assert idle.session.queue.qsize() == MAX_NEWS
    assert desk.counted("left_out_messages_total") == 3
    assert len(read(idle)) == MAX_NEWS
    desk.feed.take(results(told_window()))
    wait_for(lambda: idle.session.queue.qsize() == 2, "the next window, and the loss")
    (event, _), lost = read(idle)
    assert (event, lost) == ("sys", ("lost", {"count": 3}))
    assert desk.counted("told_messages_total") == 5


def test_who_polls_is_told_no_more_at_a_time_than_clients_take(desk: Desk) -> None:
    assert fill(desk.client(polls=True)) == MAX_POLLED_NEWS < Payload.max_decode_packets


def test_answers_still_reach_who_takes_no_news(desk: Desk) -> None:
    idle = desk.client()
    fill(idle)
    idle.session.queue.put(Packet(MESSAGE, "an answer"))
    assert idle.session.queue.qsize() == MAX_NEWS + 1


def test_moments_that_wait_go_out_together_in_messages_of_bounded_size(desk: Desk) -> None:
    desk.feed.stop()  # so that they wait
    client = desk.client()
    for number in range(500):
        desk.feed.take(results(told_window(after_s=number)))
    again = ResultFeed(desk.core, desk.clients, Teller(desk.core.counts))
    again._waiting = desk.feed._waiting
    again.start()
    wait_for(lambda: again._waiting == type(again._waiting)(), "all is taken")
    again.stop()
    sizes = [len(packet.encode()) for packet in client.session.queue.queue]
    assert 1 < len(sizes) < 20
    assert max(sizes) < 70_000
    windows = [window for _, value in read(client) for window in value]
    assert len({window["analysis"]["time"] for window in windows}) == 500


def test_too_much_that_waits_is_lost_oldest_first_and_counted(desk: Desk) -> None:
    desk.feed.stop()
    for number in range(1100):
        desk.feed.take(results(told_window(after_s=number)))
    assert len(desk.feed._waiting) == 1000
    assert desk.counted("lost_events_total") == 100
    desk.feed.take({"event": "lost", "count": 7})  # by the analyzer's own queue
    assert desk.counted("lost_events_total") == 107


@pytest.mark.parametrize(
    "strange",
    [{}, {"event": 5}, {"event": "results"}, {"event": "results", "windows": [{}]}, {"event": "results", "windows": 5},
     {"event": "lost"}, {"event": "detection"}, {"event": "disk_alarm"}, {"event": "alert", "channel": 5},
     {"event": "results", "windows": [{"chan": "m:out_1", "time": "x"}]}],
)  # fmt: skip
def test_what_an_analyzer_of_another_version_tells_stops_nothing(desk: Desk, strange: dict[str, Any]) -> None:
    client = desk.client()
    desk.feed.take(strange)
    wait_for(lambda: not desk.feed._waiting, "it is taken")
    read(client)
    desk.feed.take(results(told_window("marsh:out_4")))
    wait_for(
        lambda: any("marsh:out_4" in str(packet.data) for packet in client.session.queue.queue),
        "the next one",
    )


def test_one_bad_window_takes_no_other_with_it_and_is_counted(desk: Desk) -> None:
    desk.feed.stop()  # so that they wait, and are told in one round
    client, brief = desk.client(), desk.client()
    brief.subscription = Subscription(form="brief")
    good = told_window("marsh:out_1")
    lacking = {key: value for key, value in good.items() if key != "outputs"}
    no_number = {**told_window("marsh:out_2"), "outputs": {"birds": float("nan")}}
    for event in (
        results(good, lacking, "no window", no_number, told_window("marsh:out_3")),
        {"event": "detection", "channel": "marsh:out_1", "score": float("nan")},
        results(told_window("marsh:out_4")),
    ):
        desk.feed.take(event)
    again = ResultFeed(desk.core, desk.clients, Teller(desk.core.counts))
    again._waiting = desk.feed._waiting
    again.start()
    wait_for(lambda: client.session.queue.qsize() == 1 and brief.session.queue.qsize() == 1, "both are told")
    again.stop()
    heard = {"marsh:out_1", "marsh:out_3", "marsh:out_4"}
    assert {window["chan"] for _, windows in read(client) for window in windows} == heard
    assert {window["chan"] for _, windows in read(brief) for window in windows} >= heard
    assert desk.counted("malformed_events_total") == 4


@pytest.mark.parametrize("count", ["x", None, [], float("inf"), -5])
def test_a_loss_without_a_number_is_still_a_loss(desk: Desk, count: Any) -> None:
    desk.feed.take({"event": "lost", "count": count})
    assert desk.counted("lost_events_total") == (0 if count == -5 else 1)


def test_a_token_that_is_revoked_ends_what_is_told(desk: Desk) -> None:
    made, secret = desk.core.gateway.tokens.create(Role.LISTEN)
    caller = desk.core.gatekeeper.by_header(f"Bearer {secret}")
    known, other = desk.client(caller), desk.client()
    desk.feed.take(results(told_window()))
    wait_for(lambda: len(read(known)) == 1, "it is told")
    desk.core.gateway.tokens.revoke(made.id)
    desk.feed._look_again_s = 0.0  # as after five seconds
    read(other)
    desk.feed.take(results(told_window()))
    wait_for(lambda: other.session.queue.qsize() == 1, "the other one is told")
    assert known.session.queue.qsize() == 0


@given(st.lists(st.integers(0, MAX_NEWS_BYTES // 8), min_size=1, max_size=120), st.data())
def test_news_that_waits_never_exceeds_its_bounds(sizes: list[int], data: st.DataObject) -> None:
    queue = OutgoingQueue(lambda: None)
    waiting: list[int] = []
    for size in sizes:
        news = News("x" * size)
        fits = len(waiting) < MAX_NEWS and sum(waiting) + size <= MAX_NEWS_BYTES
        assert queue.offer(news) == fits
        if fits:
            waiting.append(size)
        if waiting and data.draw(st.booleans()):
            assert len(queue.get_nowait().data) == waiting.pop(0)
            queue.task_done()
    assert queue.qsize() == len(waiting)


def test_news_are_one_packet_for_all(desk: Desk) -> None:
    first, second = desk.client(), desk.client()
    desk.feed.take(results(told_window()))
    wait_for(lambda: second.session.queue.qsize() == 1, "both are told")
    assert first.session.queue.get_nowait() is second.session.queue.get_nowait()


def test_an_event_is_a_packet_of_the_protocol() -> None:
    assert news_of("lost", {"count": 1}).encode() == '42["lost",{"count":1}]'


names = st.from_regex(r"[a-c]{1,6}:out_[1-9]", fullmatch=True)
patterns = st.from_regex(r"[a-c*?:]{1,8}|[a-c]{1,3}:out_[1-9*?]", fullmatch=True)


@given(names, st.lists(patterns, max_size=4))
def test_a_pattern_matches_whole_names(name: str, given_patterns: list[str]) -> None:
    from fnmatch import fnmatchcase

    taken = []
    for pattern in given_patterns:
        try:
            taken.append(channel_pattern(pattern))
        except ValueError:
            continue
    expected = any(fnmatchcase(name, pattern) for pattern in taken)  # names of this test have no brackets
    assert Subscription(tuple(taken)).wants(name) == expected


def test_patterns_that_would_be_tried_for_ever_are_none() -> None:
    assert channel_pattern("*" * 200 + ":out_1") == "*:out_1"
    with pytest.raises(ValueError, match="'\\*'"):
        channel_pattern("*a" * 5)
    assert not Subscription(("*a*a*a*a?b",)).wants("a" * 64 + ":out_1"), "which takes no time"
