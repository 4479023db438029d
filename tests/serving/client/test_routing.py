"""Who answers: labels that come and go, shares, and a canary that misbehaves."""

from __future__ import annotations

import threading

import grpc
import numpy as np
import pytest

from serving.client import BreakerPolicy, BreakerState, ModelClient, RetryPolicy, Route
from tests.serving.client.scripted_server import Asked
from tests.support.waiting import wait_for
from tidzam_platform.errors import ModelServerDeadlineError, ModelServerError

AUDIO = np.full((2, 5), 0.25, np.float32)
HALVES = Route.share({"stable": 0.5, "canary": 0.5})
KEYS = [f"marsh:out_1@{number}" for number in range(24)]
QUICK = RetryPolicy(first_delay_s=0.01)


def test_without_labels_the_newest_answers_and_one_request_finds_that_out(scripted):
    with ModelClient(scripted.address) as client:
        assert [client.predict(AUDIO).generation for _ in range(5)] == [3] * 5
        assert client.counts.rerouted == 1
    assert scripted.asked == [Asked("stable", None, 2), *[Asked("", None, 2)] * 5]


def test_a_label_that_appears_later_is_found_by_a_request_on_its_way(scripted, monkeypatch):
    monkeypatch.setattr("serving.client.missing_labels.RECHECK_S", 0.05)
    scripted.versions.add(4)
    with ModelClient(scripted.address) as client:
        assert client.predict(AUDIO).generation == 4
        scripted.labels["stable"] = 3
        wait_for(lambda: client.predict(AUDIO).generation == 3, "the label to be found")
        asked = len(scripted.asked)
        assert [client.predict(AUDIO).generation for _ in range(5)] == [3] * 5
        assert scripted.asked[asked:] == [Asked("stable", None, 2)] * 5
        del scripted.labels["stable"]
        assert client.predict(AUDIO).generation == 4


def test_a_server_that_starts_is_asked_for_its_label_again_with_each_request(scripted):
    """Otherwise a canary that is loaded first would answer until the next look at the label."""
    scripted.versions.clear()
    with ModelClient(scripted.address) as client:
        for _ in range(2):
            with pytest.raises(ModelServerError, match="no generation to answer with"):
                client.predict(AUDIO)
        scripted.versions.update({3, 4})
        scripted.labels["stable"] = 3
        assert client.predict(AUDIO).generation == 3


def test_a_server_that_was_away_is_asked_for_its_label_again(scripted):
    scripted.versions.add(4)
    with ModelClient(scripted.address, retry=QUICK) as client:
        assert client.predict(AUDIO).generation == 4
        scripted.labels["stable"] = 3
        scripted.fail_next(grpc.StatusCode.UNAVAILABLE)
        assert client.predict(AUDIO).generation == 4, "this request was under way"
        assert client.predict(AUDIO).generation == 3


def test_labels_that_the_server_forbids_are_labels_that_it_does_not_know(scripted):
    scripted.fail_next(
        grpc.StatusCode.INVALID_ARGUMENT,
        details="ModelSpec has 'version_label' set, but it is not currently allowed by the server.",
    )
    with ModelClient(scripted.address) as client:
        assert client.predict(AUDIO).generation == 3


def test_each_route_asks_for_what_it_says(labelled):
    labelled.versions.add(5)
    with ModelClient(labelled.address) as client:
        for route, generation, asked in [
            (None, 3, Asked("stable", None, 2)),
            (Route.stable(), 3, Asked("stable", None, 2)),
            (Route.canary(), 4, Asked("canary", None, 2)),
            (Route.version(4), 4, Asked("", 4, 2)),
            (Route.newest(), 5, Asked("", None, 2)),
        ]:
            assert client.predict(AUDIO, route=route).generation == generation
            assert labelled.asked[-1] == asked
    assert len(labelled.asked) == 5


def test_a_label_that_was_asked_for_by_name_is_an_error_where_it_is_not(scripted):
    with ModelClient(scripted.address) as client:
        for route, label in [(Route.stable(), "stable"), (Route.canary(), "canary")]:
            for _ in range(2):
                with pytest.raises(ModelServerError, match=f"Unrecognized servable version label: {label}"):
                    client.predict(AUDIO, route=route)


def test_a_canary_never_answers_in_the_place_of_a_stable_version_that_is_not_loaded(labelled):
    labelled.versions.remove(3)
    with ModelClient(labelled.address) as client:
        for route in (None, HALVES):
            for key in KEYS[:1]:
                with pytest.raises(ModelServerError, match=r"NOT_FOUND.*Specific\(tidzam, 3\)"):
                    client.predict(AUDIO, route=route or Route.share({"stable": 1.0}), key=key)


def test_a_share_is_the_same_in_every_client_and_for_every_repeat(labelled):
    sides = []
    for _ in range(2):
        with ModelClient(labelled.address, route=HALVES) as client:
            sides.append([client.predict(AUDIO, key=key).generation for key in KEYS])
    assert sides[0] == sides[1]
    assert set(sides[0]) == {3, 4}


def test_without_a_key_the_first_window_decides(labelled):
    windows = [np.full((1, 5), level, np.float32) for level in np.linspace(0, 1, 24)]
    with ModelClient(labelled.address, route=HALVES) as client:
        first = [client.predict(window).generation for window in windows]
        assert [client.predict(window).generation for window in windows] == first
    assert set(first) == {3, 4}


def test_a_batch_goes_one_way_as_a_whole(labelled):
    audio = np.zeros((300, 5), np.float32)
    with ModelClient(labelled.address, route=HALVES) as client:
        for key in KEYS[:6]:
            assert len(set(client.predict(audio, key=key).scores[:, 0].tolist())) == 1


@pytest.mark.parametrize("harm", ["no label", "not loaded", "unavailable"])
def test_a_canary_that_is_not_there_leaves_its_share_to_stable(labelled, harm):
    if harm == "no label":
        del labelled.labels["canary"]
    elif harm == "not loaded":
        labelled.versions.remove(4)
    else:
        labelled.fail_always(grpc.StatusCode.UNAVAILABLE, label="canary")
    policy = BreakerPolicy(failures=3, first_open_s=60, longest_open_s=60)
    with ModelClient(labelled.address, route=HALVES, retry=QUICK, breaker=policy) as client:
        assert [client.predict(AUDIO, key=key).generation for key in KEYS] == [3] * len(KEYS)
        assert client.counts.rerouted >= 1
        assert client.breaker_state() is BreakerState.CLOSED
        if harm == "unavailable":
            assert client.breaker_state("canary") is BreakerState.OPEN
            assert sum(asked.label == "canary" for asked in labelled.asked) == 3


def test_a_canary_that_hangs_costs_neither_the_answer_nor_the_places_of_stable(labelled):
    labelled.hold("canary")
    generations: list[int] = []
    policy = BreakerPolicy(failures=2, first_open_s=60, longest_open_s=60)
    with ModelClient(labelled.address, route=HALVES, deadline_s=3, max_in_flight=2, breaker=policy) as client:

        def ask(keys: list[str]) -> None:
            generations.extend(client.predict(AUDIO, key=key).generation for key in keys)

        threads = [threading.Thread(target=ask, args=(KEYS[start::6],)) for start in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert client.breaker_state() is BreakerState.CLOSED
        assert client.breaker_state("canary") is BreakerState.OPEN
    assert generations == [3] * len(KEYS)


def test_a_canary_that_refuses_is_heard(labelled):
    labelled.fail_always(grpc.StatusCode.INVALID_ARGUMENT, label="canary")
    with (
        ModelClient(labelled.address, route=Route.share({"canary": 1.0})) as client,
        pytest.raises(ModelServerError, match="INVALID_ARGUMENT"),
    ):
        client.predict(AUDIO)


def test_a_stable_version_that_hangs_is_not_replaced(labelled):
    labelled.hold("stable")
    with ModelClient(labelled.address, deadline_s=0.5) as client, pytest.raises(ModelServerDeadlineError):
        client.predict(AUDIO)
    assert labelled.asked == [Asked("stable", None, 2)]


def test_a_description_is_asked_once_a_version_and_of_what_is_in_service_each_time(labelled):
    with ModelClient(labelled.address) as client:
        assert [client.describe().generation for _ in range(2)] == [3, 3]
        assert labelled.asked == [Asked("stable", None, 0)] * 2
        assert client.describe(3).generation == 3
        assert [client.describe(4).generation for _ in range(3)] == [4, 4, 4]
        assert labelled.asked[2:] == [Asked("", 4, 0)]
        labelled.versions.remove(4)
        assert client.describe(4).generation == 4, "an answer can be read although its version is gone"


def test_descriptions_are_asked_anew_after_the_server_was_away(labelled):
    with ModelClient(labelled.address, retry=QUICK) as client:
        client.describe(3)
        labelled.fail_next(grpc.StatusCode.UNAVAILABLE)
        client.predict(AUDIO)
        asked = len(labelled.asked)
        client.describe(3)
        assert labelled.asked[asked:] == [Asked("", 3, 0)]


def test_a_client_describes_what_its_route_leads_to(labelled):
    with ModelClient(labelled.address, route=Route.canary()) as client:
        assert client.describe().generation == 4
    with ModelClient(labelled.address, route=Route.share({"stable": 0.9, "canary": 0.1})) as client:
        assert client.describe().generation == 3
