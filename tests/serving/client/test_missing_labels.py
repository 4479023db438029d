"""How often a label that the server does not know is asked for all the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.client.missing_labels import RECHECK_S, MissingLabels


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def test_a_label_is_asked_for_until_it_is_missing_and_again_once_it_is_known():
    labels = MissingLabels(clock=Clock())
    assert all(labels.should_ask("stable") for _ in range(3))
    labels.missing("stable")
    assert not labels.should_ask("stable")
    assert labels.should_ask("canary"), "another label is another matter"
    labels.known("stable")
    assert all(labels.should_ask("stable") for _ in range(3))


def test_what_one_server_does_not_know_says_nothing_of_the_next():
    losses = 0
    labels = MissingLabels(lambda: losses, Clock())
    labels.missing("stable")
    assert not labels.should_ask("stable")
    losses = 1
    assert labels.should_ask("stable")
    labels.missing("stable")
    assert not labels.should_ask("stable")
    labels.forget()
    assert labels.should_ask("stable")


@given(pauses_s=st.lists(st.floats(0, 20), max_size=50))
def test_a_missing_label_is_asked_for_once_in_a_while_and_no_oftener(pauses_s):
    clock = Clock()
    labels = MissingLabels(clock=clock)
    labels.missing("stable")
    asked_at_s = clock.now_s
    for pause_s in pauses_s:
        clock.now_s += pause_s
        asks = labels.should_ask("stable")
        assert asks == (clock.now_s >= asked_at_s + RECHECK_S)
        if asks:
            assert not labels.should_ask("stable"), "one request finds out, not all that come at that moment"
            asked_at_s = clock.now_s
