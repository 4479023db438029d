"""What callers of the client rely on, with a real server that dies, hangs and comes back."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import numpy as np
import pytest

from serving.client import ModelClient
from serving.local import LocalModel
from serving.repository import ModelRepository
from tests.serving.client.stopping import stopped
from tests.support.model_server import ModelServerProcess
from tests.support.tiny_model import WINDOW_FRAMES, description, some_audio
from tidzam_platform.errors import (
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_scores_through_the_server_equal_those_in_process(model_server, exported):
    audio = some_audio(10)
    with ModelClient(model_server[1]) as client, LocalModel(exported(3)) as local:
        assert client.describe() == local.describe() == description(3)
        served, expected = client.predict(audio), local.predict(audio)
    assert served.generation == expected.generation == 3
    for name in ("scores", "embedding", "level_dbfs"):
        assert getattr(served, name).dtype == np.float32
        np.testing.assert_allclose(getattr(served, name), getattr(expected, name), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 64, 65, 300])
def test_batches_of_any_size_come_back_whole_and_in_order(model_server, exported, rows):
    audio = some_audio(rows)
    with ModelClient(model_server[1]) as client, LocalModel(exported(3)) as local:
        served, expected = client.predict(audio), local.predict(audio)
    assert served.scores.shape == (rows, 3)
    np.testing.assert_allclose(served.scores, expected.scores, atol=1e-5)


def test_batches_are_split_below_the_message_limit(served_address, exported):
    audio = some_audio(400)  # 3.2 MB, three messages of this client
    with ModelClient(served_address, max_message_mb=1) as client, LocalModel(exported(3)) as local:
        np.testing.assert_allclose(client.predict(audio).scores, local.predict(audio).scores, atol=1e-5)


def test_a_window_larger_than_a_message_is_refused_with_the_setting_to_change(served_address):
    with (
        ModelClient(served_address, max_message_mb=1) as client,
        pytest.raises(ModelServerError, match="max_message_mb"),
    ):
        client.predict(np.zeros((1, 300_000), np.float32))


def test_a_batch_that_a_swap_cuts_in_two_is_answered_by_one_generation(embedded, client, publish):
    publish(1)
    client.wait_until_available(1, 30)
    audio = some_audio(640)
    publish(2)
    generations = set()
    while client.status().get(2) != "AVAILABLE":
        prediction = client.predict(audio)
        generations.add(prediction.generation)
        assert prediction.scores.shape == (640, 3)
    assert generations <= {1, 2}
    assert client.predict(audio).generation == 2


def test_a_version_can_be_asked_for(served_address):
    with ModelClient(served_address) as client:
        assert client.predict(some_audio(1), version=3).generation == 3
        assert client.describe(version=3).generation == 3
        with pytest.raises(ModelServerError, match=r"NOT_FOUND.*Specific\(tidzam, 4\)"):
            client.predict(some_audio(1), version=4)


def test_the_servers_refusals_reach_the_caller(served_address):
    audio = some_audio(2)
    audio[1, 0] = np.nan
    with ModelClient(served_address) as client:
        with pytest.raises(ModelServerError, match=r"INVALID_ARGUMENT: row 1 of audio holds nan"):
            client.predict(audio)
        with pytest.raises(ModelServerError, match="Incompatible shapes"):
            client.predict(np.zeros((1, WINDOW_FRAMES + 1), np.float32))


def test_without_a_server_the_error_names_the_address_and_the_command():
    address = f"127.0.0.1:{free_port()}"
    with ModelClient(address, deadline_s=2) as client:
        for ask in (client.describe, client.status, lambda: client.predict(some_audio(1))):
            with pytest.raises(ModelServerUnavailableError, match=rf"{address}.*\./tidzam serve"):
                ask()


def test_waiting_for_a_server_that_never_comes_ends_at_the_deadline():
    address = f"127.0.0.1:{free_port()}"
    began_s = time.monotonic()
    with (
        ModelClient(address) as client,
        pytest.raises(
            ModelServerDeadlineError, match=rf"{address} was not ready within 1 s.*no model server"
        ),
    ):
        client.wait_until_available(timeout_s=1)
    assert time.monotonic() - began_s < 3


def test_waiting_for_a_version_that_is_not_published_ends_at_the_deadline(served_address):
    with ModelClient(served_address) as client:
        assert client.wait_until_available(timeout_s=1) == 3
        with pytest.raises(ModelServerDeadlineError, match="version 9 is unknown"):
            client.wait_until_available(9, timeout_s=0.5)


def test_a_proxy_in_the_environment_is_not_asked(served_address, monkeypatch):
    for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    with ModelClient(served_address) as client:
        assert client.predict(some_audio(1)).generation == 3


def test_the_deadline_holds_while_the_server_is_stopped_and_answers_are_right_afterwards(
    model_server, exported
):
    process, address = model_server
    audio = some_audio(4)
    with LocalModel(exported(3)) as local:
        expected = local.predict(audio).scores
    with ModelClient(address, deadline_s=1) as client:
        np.testing.assert_allclose(client.predict(audio).scores, expected, atol=1e-5)
        waited_s: list[float] = []

        def ask() -> None:
            began_s = time.monotonic()
            with pytest.raises(ModelServerDeadlineError, match="within 1 s"):
                client.predict(audio)
            waited_s.append(time.monotonic() - began_s)

        with stopped(process):
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
        assert len(waited_s) == 4
        assert max(waited_s) < 2
        assert client.wait_until_available(timeout_s=10) == 3
        np.testing.assert_allclose(client.predict(audio).scores, expected, atol=1e-5)


@pytest.mark.long  # test_resilience does it with eight callers every day
def test_a_client_recovers_when_its_server_is_killed_and_started_again(tmp_path, exported):
    repository = ModelRepository(tmp_path / "models")
    with repository.staging() as staged:
        shutil.copytree(exported(3), staged, dirs_exist_ok=True)
        repository.publish(3, staged)
    audio = some_audio(4)
    with LocalModel(exported(3)) as local:
        expected = local.predict(audio).scores
    with ModelServerProcess(tmp_path) as first:
        address = first.wait_ready()["address"]
        client = ModelClient(address)
        np.testing.assert_allclose(client.predict(audio).scores, expected, atol=1e-5)
        first.kill()
        with pytest.raises(ModelServerUnavailableError):
            client.predict(audio)
    with client, ModelServerProcess(tmp_path, port=int(address.rpartition(":")[2])):
        assert client.wait_until_available(timeout_s=60) == 3
        np.testing.assert_allclose(client.predict(audio).scores, expected, atol=1e-5)
