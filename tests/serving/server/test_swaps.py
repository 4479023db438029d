"""A new version replaces the old one without a failed request; an unfit one never answers."""

from __future__ import annotations

import shutil
import threading
import time
from typing import Self

import grpc
import numpy as np
import pytest

from serving.client import ModelClient
from serving.manifest import write_manifest
from serving.repository import ModelRepository
from serving.server.back_off import FIRST_DELAY_S
from serving.server.embedded import EmbeddedServer
from serving.server.loader import load_for_service
from serving.server.served_versions import ServedVersions
from serving.warm_up import WARM_UP_PATH
from tests.support.tiny_model import make_model, some_audio
from tests.support.waiting import wait_for
from tidzam_platform.errors import ModelServerError


def ended(client: ModelClient, version: int) -> bool:
    return client.status().get(version) == "END"


def flip_a_byte(name: str):
    def spoil(folder):
        path = next(folder.rglob(name))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)

    return spoil


def write_records(*requests):
    """Replace the warm-up file of a folder by these PredictRequests."""

    def spoil(folder):
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_log_pb2

        with tf.io.TFRecordWriter(str(folder / WARM_UP_PATH)) as writer:
            for request in requests:
                log = prediction_log_pb2.PredictionLog()
                log.predict_log.request.CopyFrom(request)
                writer.write(log.SerializeToString())
        write_manifest(folder)

    return spoil


def predict_request(audio, signature=""):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "tidzam"
    request.model_spec.signature_name = signature
    request.inputs["audio"].CopyFrom(tf.make_tensor_proto(audio))
    return request


class Traffic:
    """Clients that ask without a pause, each answer checked against the generation that it names."""

    def __init__(self, address: str, generations: list[int], clients: int = 3) -> None:
        self._audio = some_audio(2, seed=5)
        self._expected = {
            number: np.asarray(make_model(number)(self._audio)["scores"]) for number in generations
        }
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        self.answers: list[int] = []
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        wait_for(lambda: len(self.answers) > 20, "the first answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        with ModelClient(self._address) as client:
            while not self._stop.is_set():
                try:
                    before = client.status()
                    answer = client.predict(self._audio)
                    after = client.status()
                except ModelServerError as error:
                    self.failures.append(str(error))
                    return
                # Whatever answered was AVAILABLE at that moment, which lies between the two looks.
                states = {before.get(answer.generation), after.get(answer.generation)}
                if states <= {None, "LOADING", "END"}:
                    self.failures.append(f"{answer.generation} answered while {states}")
                if not np.allclose(answer.scores, self._expected[answer.generation], atol=1e-5):
                    self.failures.append(f"wrong scores from {answer.generation}")
                self.answers.append(answer.generation)


def test_versions_are_swapped_under_load_without_a_failed_request(embedded, client, publish):
    publish(1)
    client.wait_until_available(1, 30)
    with Traffic(embedded.address, [1, 2, 3]) as traffic:
        # Many warm-up requests make the loading of version 2 last, while version 1 goes on answering.
        slow = write_records(*[predict_request(some_audio(64))] * 150)
        publish(2, before=slow)
        answered_before = len(traffic.answers)
        wait_for(lambda: client.status().get(2) == "LOADING", "version 2 to load")
        client.wait_until_available(2, 30)
        assert len(traffic.answers) > answered_before, "nobody was answered while version 2 loaded"
        publish(3)
        client.wait_until_available(3, 30)
        asked = len(traffic.answers)
        wait_for(lambda: len(traffic.answers) > asked + 20, "answers of version 3")
    assert traffic.failures == []
    assert set(traffic.answers) == {1, 2, 3}
    assert set(traffic.answers[-10:]) == {3}
    wait_for(lambda: client.status() == {1: "END", 2: "END", 3: "AVAILABLE"}, "the old versions to end")


@pytest.mark.parametrize("name", ["saved_model.pb", "variables.data-00000-of-00001", WARM_UP_PATH.name])
def test_a_version_with_a_flipped_byte_never_answers_and_the_old_one_goes_on(embedded, client, publish, name):
    publish(1)
    client.wait_until_available(1, 30)
    with Traffic(embedded.address, [1, 2], clients=1) as traffic:
        publish(2, after=flip_a_byte(name))
        with pytest.raises(ModelServerError, match=f"{name} is damaged"):
            client.wait_until_available(2, 30)
    assert traffic.failures == []
    assert set(traffic.answers) == {1}
    assert client.status() == {1: "AVAILABLE", 2: "END"}
    with pytest.raises(ModelServerError, match=r"NOT_FOUND.*Specific\(tidzam, 2\)"):
        client.predict(some_audio(1), version=2)


def _truncate_warm_up(folder):
    path = folder / WARM_UP_PATH
    path.write_bytes(path.read_bytes()[:-5])
    write_manifest(folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: write_records(predict_request(some_audio(1)[:, :5])), "warm-up request 0 .* failed"),
        (lambda: write_records(predict_request(some_audio(1), "other")), "warm-up request 0 .* failed"),
        (lambda: _truncate_warm_up, "no TFRecord file"),
    ],
)
def test_a_version_whose_warm_up_fails_never_answers(client, publish, spoil, message):
    publish(1)
    client.wait_until_available(1, 30)
    publish(2, before=spoil())
    with pytest.raises(ModelServerError, match=message):
        client.wait_until_available(2, 30)
    assert client.predict(some_audio(1)).generation == 1
    assert client.status() == {1: "AVAILABLE", 2: "END"}


def test_a_version_that_answers_no_numbers_never_answers(client, publish, tmp_path):
    from serving.export import export_saved_model
    from tests.support.tiny_model import description

    model = make_model(2)

    def broken(audio):
        answers = dict(model(audio))
        return {**answers, "scores": answers["scores"] * float("nan")}

    export_saved_model(broken, description(2), tmp_path / "broken", some_audio(1))
    publish(1)
    client.wait_until_available(1, 30)

    def replace(folder):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "broken", folder)

    publish(2, before=replace)
    with pytest.raises(ModelServerError, match="scores is not finite"):
        client.wait_until_available(2, 30)
    assert client.predict(some_audio(1)).generation == 1


def test_a_version_that_is_another_generation_than_its_number_says_never_answers(client, publish):
    publish(5, generation=1)
    with pytest.raises(ModelServerError, match="describes itself as generation 1"):
        client.wait_until_available(5, 30)


def test_a_saved_model_of_somebody_else_never_answers(client, repository):
    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], tf.float32, "x")]
    )
    with repository.staging() as staged:
        tf.saved_model.save(module, str(staged), signatures={"serving_default": module.double})
        repository.publish(1, staged)
    with pytest.raises(ModelServerError, match="has no signature 'serving_default' from \\['audio'\\]"):
        client.wait_until_available(1, 30)


def test_a_server_that_finds_a_damaged_newest_version_serves_the_one_before(repository, publish):
    publish(1)
    publish(2, after=flip_a_byte("saved_model.pb"))
    server = EmbeddedServer(repository, poll_interval_s=0.05)
    server.start()
    try:
        assert server.wait_for_generation(30) == 1
    finally:
        assert server.stop()


def test_removing_the_newest_version_goes_back_to_the_one_before(client, publish, repository):
    publish(1)
    publish(2)
    client.wait_until_available(2, 30)
    shutil.rmtree(repository.path(2))
    client.wait_until_available(1, 30)
    assert client.predict(some_audio(1)).generation == 1


def test_a_repository_that_goes_away_does_not_end_the_service(client, publish, repository):
    publish(1)
    client.wait_until_available(1, 30)
    repository.base_path.rename(repository.base_path.with_name("away"))
    time.sleep(0.3)  # several polls
    assert client.predict(some_audio(1)).generation == 1
    repository.base_path.with_name("away").rename(repository.base_path)
    publish(2)
    client.wait_until_available(2, 30)


def test_an_unfit_version_is_tried_again_later_and_not_in_a_hot_loop(repository, publish):
    now_s = 1000.0
    tries: list[int] = []

    def load(version, folder):
        tries.append(version)
        return load_for_service(version, folder)

    publish(1, after=flip_a_byte("saved_model.pb"))
    versions = ServedVersions(repository, load, lambda *_: None, clock=lambda: now_s)
    for _ in range(20):
        versions.poll()
    assert tries == [1]
    flip_a_byte("saved_model.pb")(repository.path(1))  # mended
    now_s += 2 * FIRST_DELAY_S
    versions.poll()
    assert tries == [1, 1]
    assert versions.in_service == [1]
    assert versions.close()


def test_a_version_in_use_is_closed_only_after_its_last_request(repository, publish):
    publish(1)
    versions = ServedVersions(repository, load_for_service, lambda *_: None)
    versions.poll()
    with versions.use(None) as in_flight:
        publish(2)
        versions.poll()
        versions.poll()
        assert [(status.version, status.state.name) for status in versions.states.all()] == [
            (2, "AVAILABLE"),
            (1, "UNLOADING"),
        ]
        assert in_flight is not None
        audio = some_audio(3)
        scores = in_flight.run("serving_default", {"audio": audio}, ["scores"], 10)["scores"]
        np.testing.assert_allclose(scores, np.asarray(make_model(1)(audio)["scores"]), atol=1e-5)
    versions.poll()
    assert versions.states.status(1).state.name == "END"
    assert versions.close()


def test_health_tells_when_the_first_version_answers(embedded, client, publish):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(embedded.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="tensorflow.serving.PredictionService")
        answers = stub.Watch(request, timeout=30)
        assert next(answers).status == health_pb2.HealthCheckResponse.NOT_SERVING
        publish(1)
        assert next(answers).status == health_pb2.HealthCheckResponse.SERVING
        answers.cancel()


def test_before_the_first_version_requests_are_not_found(client):
    assert client.status() == {}
    with pytest.raises(ModelServerError, match="no generation to answer with: make one"):
        client.predict(some_audio(1))


@pytest.mark.long
def test_unloaded_versions_leave_no_memory_and_no_files_behind(repository, publish):
    """A dozen swaps after the first few take no more than a handful of megabytes."""
    import psutil

    process = psutil.Process()
    versions = ServedVersions(repository, load_for_service, lambda *_: None)
    publish(1)

    def there_and_back() -> None:
        publish(2)
        versions.poll()
        assert versions.in_service == [2]
        shutil.rmtree(repository.path(2))
        versions.poll()
        assert versions.in_service == [1]
        versions.poll()

    for _ in range(3):
        there_and_back()
    memory, files = process.memory_info().rss, process.num_fds()
    for _ in range(6):
        there_and_back()
    assert process.num_fds() <= files
    assert process.memory_info().rss - memory < 16 << 20
    assert versions.close()


def test_only_the_newest_ended_versions_stay_visible():
    from serving.server.states import State, VersionStates

    states = VersionStates()
    for version in range(1, 101):
        states.step(version, State.LOADING)
        states.step(version, State.END, "unfit")
    assert [status.version for status in states.all()] == list(range(100, 68, -1))


def test_a_version_cannot_skip_a_step_of_its_life():
    from serving.server.states import State, VersionStates

    states = VersionStates()
    for step in (State.AVAILABLE, State.UNLOADING, State.END):
        with pytest.raises(ValueError, match="cannot go from START"):
            states.step(1, step)


def test_a_second_server_on_the_port_is_refused(embedded, tmp_path):
    from tidzam_platform.errors import ProcessError

    port = int(embedded.address.rpartition(":")[2])
    second = EmbeddedServer(ModelRepository(tmp_path), port=port)
    with pytest.raises(ProcessError, match=f"cannot listen on 127.0.0.1:{port}: the port is in use"):
        second.start()
    assert second.stop()
