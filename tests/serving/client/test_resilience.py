"""A real server is killed, restarted and stopped while 8 clients ask it without a pause."""

from __future__ import annotations

import shutil
import threading
import time
from typing import Self

import numpy as np
import pytest

from serving.client import BreakerPolicy, BreakerState, ModelClient
from serving.client.refusals import is_not_found
from serving.local import LocalModel
from serving.repository import ModelRepository
from tests.serving.client.stopping import stopped
from tests.support.model_server import ModelServerProcess
from tests.support.tiny_model import some_audio
from tests.support.waiting import wait_for
from tidzam_platform.errors import (
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)

CALLERS = 8
DEADLINE_S = 1.0
SLACK_S = 2.0  # on a machine that does other things too, a thread that is due is not yet running
POLICY = BreakerPolicy(failures=2, first_open_s=0.2, longest_open_s=1.0)
START_S = 180.0  # TensorFlow is imported
RECOVERY_S = 60.0


class Caller:
    """One thread that asks, checks every answer, and notes what else it meets and how long each call took."""

    def __init__(self, client: ModelClient, number: int, model: LocalModel) -> None:
        self.client = client
        self.right = self.wrong = self.refused = self.not_loaded = 0
        self.longest_s = 0.0
        self.strange: list[str] = []
        self._audio = some_audio(3, seed=number)
        self._expected = model.predict(self._audio)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> bool:
        """Whether the thread ended: it hangs nowhere."""
        self._thread.join(DEADLINE_S + 10)
        return not self._thread.is_alive()

    def _ask(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            pause_s = 0.0
            try:
                answer = self.client.predict(self._audio)
            except (ModelServerUnavailableError, ModelServerDeadlineError) as error:
                retry_after_s = getattr(error, "retry_after_s", None)
                self.refused += retry_after_s is not None
                pause_s = min(retry_after_s or 0.01, 0.1)
            except ModelServerError as error:
                if is_not_found(error):
                    self.not_loaded += 1  # a server that starts listens before it has loaded its model
                    pause_s = 0.05
                else:
                    self.strange.append(f"{type(error).__name__}: {error}")
            else:
                is_right = answer.generation == self._expected.generation and all(
                    np.allclose(getattr(answer, name), getattr(self._expected, name), atol=1e-5)
                    for name in ("scores", "embedding", "level_dbfs")
                )
                self.right += is_right
                self.wrong += not is_right
            self.longest_s = max(self.longest_s, time.monotonic() - began_s)
            self._stop.wait(pause_s)


class Callers:
    """Eight callers: four with a client each, four that share one."""

    def __init__(self, address: str, model: LocalModel) -> None:
        self.clients = [ModelClient(address, deadline_s=DEADLINE_S, breaker=POLICY) for _ in range(5)]
        self.all = [Caller(self.clients[min(number, 4)], number, model) for number in range(CALLERS)]

    def __enter__(self) -> Self:
        for caller in self.all:
            caller.start()
        self.wait_for_answers()
        return self

    def __exit__(self, *_: object) -> None:
        for caller in self.all:
            caller.stop()
        ended = [caller.join() for caller in self.all]
        for client in self.clients:
            client.close()
        assert all(ended), "a caller hangs"

    def wait_for_answers(self) -> None:
        """Until each caller had five more right answers."""
        before = [caller.right for caller in self.all]
        wait_for(
            lambda: all(caller.right >= count + 5 for caller, count in zip(self.all, before, strict=True)),
            "five right answers for each caller",
            RECOVERY_S,
        )

    def wait_for_open_breakers(self) -> None:
        wait_for(
            lambda: all(client.counts.breaker_opened for client in self.clients),
            "every client's breaker to open",
            RECOVERY_S,
        )

    def require_recovery(self) -> None:
        self.wait_for_answers()
        wait_for(
            lambda: all(client.breaker_state() is BreakerState.CLOSED for client in self.clients),
            "every client's breaker to close",
            RECOVERY_S,
        )

    def require_promises(self) -> None:
        """Nobody waited beyond the deadline, nobody got a wrong answer or an error of another kind."""
        assert [caller.wrong for caller in self.all] == [0] * CALLERS
        assert [caller.strange for caller in self.all] == [[]] * CALLERS
        assert max(caller.longest_s for caller in self.all) < DEADLINE_S + SLACK_S
        assert all(caller.refused for caller in self.all), "open breakers refuse at once, and say so"
        for client in self.clients:
            counts = client.counts
            assert counts.breaker_opened >= counts.breaker_closed >= 1
            assert counts.in_flight == 0


def test_a_server_that_is_killed_and_started_again_under_eight_clients(tmp_path, exported):
    repository = ModelRepository(tmp_path / "models")
    with repository.staging() as staged:
        shutil.copytree(exported(3), staged, dirs_exist_ok=True)
        repository.publish(3, staged)
    with LocalModel(exported(3)) as model, ModelServerProcess(tmp_path) as first:
        address = first.wait_ready(START_S)["address"]
        with Callers(address, model) as callers:
            first.kill()
            callers.wait_for_open_breakers()
            with ModelServerProcess(tmp_path, port=int(address.rpartition(":")[2])) as second:
                second.wait_ready(START_S)
                callers.require_recovery()
                for caller in callers.all:
                    caller.stop()
                assert all(caller.join() for caller in callers.all)
    callers.require_promises()


@pytest.mark.parametrize("stopped_s", [3.0, pytest.param(10.0, marks=pytest.mark.long)])
def test_a_server_that_is_stopped_for_a_while_under_eight_clients(model_server, exported, stopped_s):
    process, address = model_server
    with LocalModel(exported(3)) as model, Callers(address, model) as callers:
        with stopped(process):
            time.sleep(stopped_s)
            callers.wait_for_open_breakers()
            right = sum(caller.right for caller in callers.all)
            time.sleep(0.2)
            assert sum(caller.right for caller in callers.all) == right, "it was stopped"
        callers.require_recovery()
    callers.require_promises()
    assert not any(caller.not_loaded for caller in callers.all)
