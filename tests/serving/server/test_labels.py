"""Labels and policies: what the config file or a client asks for is loaded, named and let go without a gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc
import numpy as np
import pytest

from serving.repository.server_files import MODELS_CONFIG
from serving.server.embedded import EmbeddedServer
from serving.server.serving_config import ServingConfig
from tests.serving.server.bare_client import DEADLINE_S, predict_request, refused
from tests.serving.server.test_swaps import Traffic, flip_a_byte
from tests.support.tiny_model import WINDOW_FRAMES
from tests.support.waiting import wait_for

WINDOW = np.zeros((1, WINDOW_FRAMES), np.float32)


@pytest.fixture
def configure(repository) -> Callable[..., None]:
    """Write ``models.config`` for specific versions with labels."""

    def write(versions: Sequence[int], **labels: int) -> None:
        file = repository.serving_folder / MODELS_CONFIG
        file.parent.mkdir(parents=True, exist_ok=True)
        named = "".join(f'version_labels {{ key: "{key}" value: {value} }} ' for key, value in labels.items())
        wanted = " ".join(f"versions: {version}" for version in versions)
        partial = file.with_suffix(".new")
        partial.write_text(
            f'model_config_list {{ config {{ name: "tidzam" base_path: "{repository.base_path}" '
            f"model_version_policy {{ specific {{ {wanted} }} }} {named} }} }}"
        )
        partial.rename(file)

    return write


def reload_request(base_path: str, versions: Sequence[int], **labels: int):
    from tensorflow_serving.apis import model_management_pb2

    request = model_management_pb2.ReloadConfigRequest()
    model = request.config.model_config_list.config.add(name="tidzam", base_path=base_path)
    model.model_version_policy.specific.versions.extend(versions)
    for label, version in labels.items():
        model.version_labels[label] = version
    return request


@pytest.fixture
def calls(embedded: EmbeddedServer):
    from types import SimpleNamespace

    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    with grpc.insecure_channel(embedded.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield SimpleNamespace(
            prediction=prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model=model_service_pb2_grpc.ModelServiceStub(channel),
        )


def answered_by(calls, label: str | None = None) -> int:
    request = predict_request(WINDOW)
    if label is not None:
        request.model_spec.version_label = label
    return calls.prediction.Predict(request, timeout=DEADLINE_S).model_spec.version.value


def serves(embedded: EmbeddedServer, versions: list[int], **labels: int) -> None:
    wait_for(
        lambda: (
            (embedded.requests._versions.in_service, embedded.requests._versions.labels) == (versions, labels)
        ),
        f"{versions} {labels}",
    )


def test_a_label_names_a_version_and_no_label_the_newest(embedded, publish, configure, calls):
    for version in (1, 2, 3):
        publish(version)
    configure([1, 3], stable=1, canary=3)
    serves(embedded, [3, 1], stable=1, canary=3)
    # apis/model.proto: "If neither version nor version_label are specified, the latest version is used."
    assert [answered_by(calls, label) for label in ("stable", "canary", None)] == [1, 3, 3]
    assert embedded.generation == 1
    assert (
        refused(calls.prediction.Predict, predict_request(WINDOW, version=2))[0] is grpc.StatusCode.NOT_FOUND
    )


def test_a_label_moves_when_the_new_version_answers_and_no_request_fails(embedded, publish, configure, calls):
    publish(1)
    configure([1], stable=1)
    serves(embedded, [1], stable=1)
    with Traffic(embedded.address, [1, 2]) as traffic:
        publish(2)
        configure([2], stable=2)
        serves(embedded, [2], stable=2)
        count = len(traffic.answers)
        wait_for(lambda: len(traffic.answers) > count + 20, "answers of the new version")
    assert not traffic.failures
    assert traffic.answers[-1] == 2
    assert answered_by(calls, "stable") == 2


def test_a_label_that_moves_to_a_damaged_version_stays_where_it_is(embedded, publish, configure, calls):
    publish(1)
    configure([1], stable=1)
    serves(embedded, [1], stable=1)
    publish(2, after=flip_a_byte("saved_model.pb"))
    configure([2], stable=2)
    wait_for(lambda: b'status="fail"' in embedded.metrics.render()[0], "the load that fails")
    assert embedded.requests._look(10)
    assert answered_by(calls, "stable") == 1
    assert answered_by(calls) == 1


def test_a_config_that_cannot_be_read_changes_nothing(embedded, publish, configure, calls, repository):
    publish(1)
    configure([1], stable=1)
    serves(embedded, [1], stable=1)
    (repository.serving_folder / MODELS_CONFIG).write_text("model_config_list {")
    publish(2)
    embedded.requests._look(10)
    embedded.requests._look(10)
    assert answered_by(calls, "stable") == answered_by(calls) == 1


def test_a_client_may_ask_for_another_config(embedded, publish, repository, calls):
    # apis/model_service.proto: "Reloads the set of served models. The new config supersedes the old one"
    publish(1)
    publish(2)
    serves(embedded, [2])
    request = reload_request(str(repository.base_path), [1], stable=1)
    response = calls.model.HandleReloadConfigRequest(request, timeout=DEADLINE_S)
    assert response.status.error_code == 0
    assert answered_by(calls) == answered_by(calls, "stable") == 1
    serves(embedded, [1], stable=1)


@pytest.mark.parametrize(
    ("base_path", "versions", "labels", "code", "words"),
    [
        ("/etc", [1], {}, "INVALID_ARGUMENT", "not from '/etc'"),
        (None, [], {}, "INVALID_ARGUMENT", "at least one version"),
        # server_core.cc UpdateModelVersionLabelMap: labels go to versions that are available
        (None, [1, 9], {"stable": 9}, "FAILED_PRECONDITION", "version 9 of model tidzam is not available"),
        (None, [2, 9], {"stable": 2}, "FAILED_PRECONDITION", "version 9 of model tidzam is not available"),
    ],
)
def test_a_config_that_cannot_be_is_refused_and_changes_nothing(
    embedded, publish, repository, calls, base_path, versions, labels, code, words
):
    publish(2)
    serves(embedded, [2])
    embedded.requests._versions.config = ServingConfig("specific", versions=(1,), labels={"stable": 1})
    publish(1)
    serves(embedded, [1], stable=1)
    request = reload_request(base_path or str(repository.base_path), versions, **labels)
    got, details = refused(calls.model.HandleReloadConfigRequest, request)
    assert got.name == code
    assert words in details
    assert embedded.requests._look(10)
    serves(embedded, [1], stable=1)
    assert answered_by(calls) == 1


def test_another_model_cannot_be_asked_for(embedded, calls):
    from tensorflow_serving.apis import model_management_pb2

    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(name="other", base_path="/models/other")
    assert refused(calls.model.HandleReloadConfigRequest, request)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_label_whose_version_is_not_loaded_is_answered_by_nobody_else(embedded, publish, configure, calls):
    publish(3)
    publish(4, after=flip_a_byte("saved_model.pb"))
    configure([3, 4], stable=4, canary=3)
    wait_for(lambda: embedded.requests._versions.labels == {"canary": 3}, "the canary")
    request = predict_request(WINDOW)
    request.model_spec.version_label = "stable"
    # server_core.cc: a label of a version that is not available names that version all the same
    assert refused(calls.prediction.Predict, request) == (
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Specific(tidzam, 4)",
    )


def test_a_canary_is_not_tried_while_the_stable_version_is_damaged(embedded, publish, configure, calls):
    publish(2)
    publish(3, after=flip_a_byte("saved_model.pb"))
    publish(4)
    configure([2, 3, 4], stable=3, canary=4)
    wait_for(lambda: b'status="fail"' in embedded.metrics.render()[0], "the load that fails")
    embedded.requests._look(10)
    serves(embedded, [2])
    assert answered_by(calls) == 2


def test_a_label_that_moves_while_a_request_looks_it_up_fails_no_request(embedded, publish, configure, calls):
    """A rollback moves the label and lets the version go that it named, in one step."""
    publish(1)
    publish(2)
    configure([1, 2], stable=2)
    serves(embedded, [2, 1], stable=2)
    requests, look_up = embedded.requests, embedded.requests._chosen

    def rolled_back_meanwhile(spec):
        version = look_up(spec)
        configure([1], stable=1)
        serves(embedded, [1], stable=1)
        return version

    requests._chosen = rolled_back_meanwhile
    assert answered_by(calls, "stable") == 1


def test_a_second_config_at_the_same_time_is_told_to_come_again(embedded, publish, repository, calls):
    publish(1)
    serves(embedded, [1])
    with embedded.requests._reloading:
        code, details = refused(
            calls.model.HandleReloadConfigRequest, reload_request(str(repository.base_path), [1])
        )
    assert (code, details) == (grpc.StatusCode.UNAVAILABLE, "another config is being tried: come again")
