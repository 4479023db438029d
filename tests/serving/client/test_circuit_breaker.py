"""When a breaker opens, what it lets through, and how it closes again."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serving.client.circuit_breaker import (
    BreakerPolicy,
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    Permit,
)

POLICY = BreakerPolicy(failures=3, first_open_s=1.0, longest_open_s=6.0)
_LONGEST_WAIT_S = POLICY.longest_open_s * 1.2  # with its jitter


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def opened() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    breaker = CircuitBreaker("a server", POLICY, clock)
    for _ in range(POLICY.failures):
        breaker.failed(breaker.enter())
    assert breaker.state is BreakerState.OPEN
    return breaker, clock


def test_it_opens_after_failures_in_a_row_and_not_after_as_many_with_an_answer_between():
    breaker = CircuitBreaker("a server", POLICY, Clock())
    for _ in range(10):
        for _ in range(POLICY.failures - 1):
            breaker.failed(breaker.enter())
        breaker.answered(breaker.enter())
    assert (breaker.state, breaker.times_opened) == (BreakerState.CLOSED, 0)


def test_an_open_breaker_refuses_and_says_when_it_will_not():
    breaker, clock = opened()
    with pytest.raises(CircuitOpenError) as refusal:
        breaker.enter()
    assert 0.8 <= refusal.value.retry_after_s <= 1.2
    with pytest.raises(CircuitOpenError):
        breaker.require_closed()
    clock.now_s += refusal.value.retry_after_s
    breaker.require_closed()
    assert breaker.enter().is_probe


def test_one_probe_at_a_time_and_its_answer_closes():
    breaker, clock = opened()
    clock.now_s += _LONGEST_WAIT_S
    probe = breaker.enter()
    assert breaker.state is BreakerState.HALF_OPEN
    for _ in range(3):
        with pytest.raises(CircuitOpenError):
            breaker.enter()
    breaker.answered(probe)
    assert (breaker.state, breaker.times_closed) == (BreakerState.CLOSED, 1)
    assert not breaker.enter().is_probe


def test_an_abandoned_probe_leaves_its_place_to_the_next():
    breaker, clock = opened()
    clock.now_s += _LONGEST_WAIT_S
    breaker.abandoned(breaker.enter())
    assert breaker.enter().is_probe


def test_each_probe_that_fails_makes_the_wait_longer_up_to_the_limit():
    breaker, clock = opened()
    waits_s = []
    for _ in range(6):
        waits_s.append(breaker.retry_after_s)
        clock.now_s += breaker.retry_after_s
        breaker.failed(breaker.enter())
    for wait_s, expected_s in zip(waits_s, [1, 2, 4, 6, 6, 6], strict=True):
        assert wait_s == pytest.approx(expected_s, rel=0.21)
    clock.now_s += breaker.retry_after_s
    breaker.answered(breaker.enter())
    for _ in range(POLICY.failures):
        breaker.failed(breaker.enter())
    assert breaker.retry_after_s <= 1.2, "the wait begins anew after the server was well"


def test_a_server_that_is_away_for_long_is_logged_once_and_once_more_when_it_is_back(caplog):
    breaker, clock = opened()
    for _ in range(20):
        clock.now_s += _LONGEST_WAIT_S
        breaker.failed(breaker.enter())
    clock.now_s += _LONGEST_WAIT_S
    breaker.answered(breaker.enter())
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 2
    assert "a server: 3 failures in a row, asked again in" in said[0]
    assert said[1] == "a server: answers again"


def test_requests_of_before_say_nothing_about_now():
    breaker, clock = opened()
    clock.now_s += _LONGEST_WAIT_S
    late = Permit(0, is_probe=False)  # sent while it was closed
    breaker.answered(late)
    assert breaker.state is BreakerState.OPEN
    probe = breaker.enter()
    breaker.failed(late)
    breaker.answered(late)
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.answered(probe)
    for _ in range(10):
        breaker.failed(late)
    assert breaker.state is BreakerState.CLOSED


def test_a_server_that_says_that_it_serves_closes_it_at_once():
    breaker, _ = opened()
    breaker.found_well()
    assert breaker.state is BreakerState.CLOSED
    assert not breaker.enter().is_probe


class BreakerMachine(RuleBasedStateMachine):
    """Any order of requests, ends and time: the promises of the module's drawing hold."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = CircuitBreaker("a server", POLICY, self.clock)
        self.under_way: list[tuple[Permit, BreakerState]] = []
        self.reachable_at_s = 0.0  # the latest moment at which a request must be let through

    @rule()
    def send(self) -> None:
        before = self.breaker.state
        permit, retry_after_s = self._enter()
        if permit is None:
            assert before is not BreakerState.CLOSED
            assert 0 < retry_after_s <= _LONGEST_WAIT_S
            if before is BreakerState.OPEN:
                assert self.clock.now_s < self.reachable_at_s
            return
        assert permit.is_probe == (before is not BreakerState.CLOSED)
        self.under_way.append((permit, self.breaker.state))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), end=st.sampled_from(["answered", "failed", "abandoned"]))
    def finish(self, data: st.DataObject, end: str) -> None:
        permit, _ = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        opened_before = self.breaker.times_opened
        getattr(self.breaker, end)(permit)
        if self.breaker.times_opened > opened_before:
            assert end == "failed"
            self.reachable_at_s = self.clock.now_s + _LONGEST_WAIT_S

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds

    @rule()
    def hear_that_it_is_well(self) -> None:
        self.breaker.found_well()
        assert self.breaker.state is BreakerState.CLOSED

    def _enter(self) -> tuple[Permit | None, float]:
        try:
            return self.breaker.enter(), 0.0
        except CircuitOpenError as refusal:
            return None, refusal.retry_after_s

    @invariant()
    def closes_only_what_it_opened(self) -> None:
        opened_now = 0 if self.breaker.state is BreakerState.CLOSED else 1
        # A probe that fails opens it once more without a close between.
        assert self.breaker.times_closed + opened_now <= self.breaker.times_opened


TestBreakerMachine = BreakerMachine.TestCase
