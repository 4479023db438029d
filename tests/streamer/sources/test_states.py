"""The table of states: what it allows, and that nothing else happens."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamer.engine.sources.states import ENDED, KEPT, LEGAL_STEPS, SourceState, StateMachine, Transition
from tidzam_platform.errors import EngineError


def test_the_table_speaks_of_every_state_and_all_can_be_reached() -> None:
    assert set(LEGAL_STEPS) == set(SourceState)
    reached = {SourceState.IDLE}
    while more := set().union(*(LEGAL_STEPS[state] for state in reached)) - reached:
        reached |= more
    assert reached == set(SourceState)


def test_nothing_comes_after_an_end_and_all_else_can_be_stopped() -> None:
    assert {state for state in SourceState if not LEGAL_STEPS[state]} == ENDED
    assert all(
        SourceState.STOPPING in LEGAL_STEPS[state]
        for state in set(SourceState) - ENDED - {SourceState.STOPPING}
    )


def test_the_last_hundred_steps_are_kept_with_their_times_and_reasons() -> None:
    clock = itertools.count(10.0)
    told: list[Transition] = []
    machine = StateMachine(monotonic=lambda: next(clock), on_step=told.append)
    machine.step(SourceState.WAITING, "added")
    machine.step(SourceState.STARTING, "a place")
    for number in range(100):
        machine.step(SourceState.BACKING_OFF, f"failure {number}")
        machine.step(SourceState.WAITING, "again")
        machine.step(SourceState.STARTING, "again")
    kept = machine.transitions
    assert len(kept) == KEPT
    assert machine.steps == len(told) == 302
    assert tuple(told[-KEPT:]) == kept
    assert [step.monotonic_s for step in kept] == sorted(step.monotonic_s for step in kept)
    assert all(one.after is other.before for one, other in itertools.pairwise(kept))
    assert kept[-3].as_dict()["reason"] == "failure 99"


def test_of_a_long_reason_the_end_is_told_too() -> None:
    told: list[Transition] = []
    machine = StateMachine(on_step=told.append)
    machine.step(next(iter(LEGAL_STEPS[SourceState.IDLE])), f"{'long ' * 200}; again in 0.5 s")
    assert len(told[0].reason) == 500
    assert told[0].reason.endswith("long ; again in 0.5 s")


class AnyWalk(RuleBasedStateMachine):
    """Legal steps are made, illegal ones raise and change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = StateMachine()
        self.state = SourceState.IDLE

    @rule(after=st.sampled_from(SourceState))
    def step(self, after: SourceState) -> None:
        if after in LEGAL_STEPS[self.state]:
            self.machine.step(after, "why")
            self.state = after
        else:
            with pytest.raises(EngineError, match="fault of the engine"):
                self.machine.step(after, "why")

    @invariant()
    def is_where_it_should_be(self) -> None:
        assert self.machine.state is self.state


TestAnyWalk = AnyWalk.TestCase
