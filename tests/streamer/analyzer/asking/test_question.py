"""What becomes of a request: answered, asked for again later, or refused for good; over real gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from serving.client import ModelClient, RetryPolicy
from streamer.analyzer.asking.generations import Generations
from streamer.analyzer.asking.question import Outcome, ask
from streamer.analyzer.windows import Geometry, Moment
from tests.serving.client.scripted_server import ScriptedServer
from tests.streamer.analyzer.asking.made import Site, name_of, run_of
from tests.support.tiny_model import description
from tidzam_platform.errors import CatalogError

MOMENT = Site(run_of(), 3, 1).moments()[0]


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer({3}) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ScriptedServer) -> Iterator[ModelClient]:
    with ModelClient(server.address, retry=RetryPolicy(max_attempts=1)) as client:
        yield client


def asked(client: ModelClient, moment: Moment = MOMENT, generations: Generations | None = None) -> Outcome:
    return ask(lambda: client, generations or Generations(), moment, 10)


def test_an_answer_comes_with_the_generation_that_gave_it(client: ModelClient) -> None:
    generations = Generations()
    outcome = asked(client, generations=generations)
    assert outcome.prediction is not None
    assert outcome.keys == MOMENT.keys
    np.testing.assert_array_equal(outcome.prediction.scores[:, 1], MOMENT.audio[:, 0])
    assert (outcome.refused, outcome.away) == ((), "")
    assert generations.of(3) == description(3)


@pytest.mark.parametrize(
    ("code", "is_silent"),
    [
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, True),
        (grpc.StatusCode.INTERNAL, False),
        (grpc.StatusCode.FAILED_PRECONDITION, False),
    ],
)
def test_what_may_pass_is_asked_for_again(
    server: ScriptedServer, client: ModelClient, code: grpc.StatusCode, is_silent: bool
) -> None:
    server.fail_next(code)
    outcome = asked(client)
    assert outcome.away
    assert outcome.is_silent is is_silent
    assert (outcome.prediction, outcome.refused) == (None, ())
    assert asked(client).prediction is not None


def test_a_server_that_has_not_loaded_its_model_is_away(server: ScriptedServer, client: ModelClient) -> None:
    server.versions = set()
    try:
        outcome = asked(client)
    finally:
        server.versions = {3}
    assert "no generation to answer with" in outcome.away
    assert outcome.is_silent


def test_without_a_client_the_server_is_away() -> None:
    def no_client() -> ModelClient:
        raise CatalogError("the catalog did not answer")

    outcome = ask(no_client, Generations(), MOMENT, 10)
    assert outcome.away == "the catalog did not answer"


def test_what_the_server_refuses_is_refused_for_good(server: ScriptedServer, client: ModelClient) -> None:
    server.fail_next(grpc.StatusCode.INVALID_ARGUMENT, details="audio has the wrong width")
    outcome = asked(client)
    assert outcome.away == ""
    assert outcome.prediction is None
    ((keys, reason),) = [(lost.keys, lost.reason) for lost in outcome.refused]
    assert keys == MOMENT.keys
    assert "wrong width" in reason


def test_a_window_that_nobody_can_judge_does_not_cost_the_others_their_answer(
    server: ScriptedServer, client: ModelClient
) -> None:
    audio = MOMENT.audio.copy()
    audio[1, 7] = np.nan
    server.fail_next(grpc.StatusCode.INVALID_ARGUMENT, details="row 1 of audio holds nan")
    outcome = asked(client, Moment(MOMENT.keys, audio))
    assert outcome.prediction is not None
    assert [name_of(key) for key in outcome.keys] == [name_of(MOMENT.keys[0]), name_of(MOMENT.keys[2])]
    np.testing.assert_array_equal(outcome.prediction.scores[:, 1], MOMENT.audio[[0, 2], 0])
    (lost,) = outcome.refused
    assert lost.keys == MOMENT.keys[1:2]
    assert "nan" in lost.reason


def test_windows_of_another_rate_are_refused_although_they_are_as_wide(client: ModelClient) -> None:
    half_as_long = Geometry(16_000, 2000, 1000)
    outcome = asked(client, Site(run_of(geometry=half_as_long), 1, 1).moments()[0])
    assert outcome.prediction is None
    (lost,) = outcome.refused
    assert "generation 3 hears other windows" in lost.reason
