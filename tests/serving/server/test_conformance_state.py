"""Metadata, status, health and deadlines: what a client of TensorFlow Serving relies on beside Predict.

Sources are named by their path in github.com/tensorflow/serving.
"""

from __future__ import annotations

import threading

import grpc
import numpy as np
import pytest

from serving.local import LocalModel
from serving.server.refusals import RefusalError
from tests.serving.server.bare_client import DEADLINE_S, predict_request, refused
from tests.support.tiny_model import WINDOW_FRAMES, some_audio


def test_metadata_holds_the_signatures_as_the_saved_model_has_them(stubs, exported):
    # apis/get_model_metadata.proto
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2

    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "tidzam"
    request.metadata_field.append("signature_def")
    response = stubs.prediction.GetModelMetadata(request, timeout=DEADLINE_S)
    assert (response.model_spec.name, response.model_spec.version.value) == ("tidzam", 3)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    file = saved_model_pb2.SavedModel.FromString((exported(3) / "saved_model.pb").read_bytes())
    assert dict(signatures.signature_def) == dict(file.meta_graphs[0].signature_def)
    assert signatures.signature_def["serving_default"].method_name == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["weights"], "Metadata field weights is not supported"),
    ],
)
def test_other_metadata_is_refused(stubs, fields, words):
    # get_model_metadata_impl.cc ValidateGetModelMetadataRequest
    from tensorflow_serving.apis import get_model_metadata_pb2

    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = "tidzam"
    assert refused(stubs.prediction.GetModelMetadata, request) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def _status_request(name, version=None):
    from tensorflow_serving.apis import get_model_status_pb2

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return request


@pytest.mark.parametrize("version", [None, 3])
def test_status_says_that_the_version_is_available(stubs, version):
    # apis/get_model_status.proto
    from tensorflow_serving.apis import get_model_status_pb2

    response = stubs.model.GetModelStatus(_status_request("tidzam", version), timeout=DEADLINE_S)
    (status,) = response.model_version_status
    assert status.version == 3
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (status.status.error_code, status.status.error_message) == (0, "")


def test_status_of_what_is_not_there_is_not_found(stubs):
    # model_servers/get_model_status_impl.cc
    call = stubs.model.GetModelStatus
    not_found = grpc.StatusCode.NOT_FOUND
    assert refused(call, _status_request("other")) == (
        not_found,
        "Could not find any versions of model other",
    )
    assert refused(call, _status_request("tidzam", 9)) == (
        not_found,
        "Could not find version 9 of model tidzam",
    )
    assert refused(call, _status_request("other", 3)) == (
        not_found,
        "Could not find version 3 of model other",
    )


def test_what_the_model_cannot_do_is_unimplemented_and_says_what_to_do_instead(stubs):
    from tensorflow_serving.apis import (
        classification_pb2,
        inference_pb2,
        regression_pb2,
    )

    for call, request, hint in (
        (stubs.prediction.Classify, classification_pb2.ClassificationRequest(), "call Predict"),
        (stubs.prediction.Regress, regression_pb2.RegressionRequest(), "call Predict"),
        (stubs.prediction.MultiInference, inference_pb2.MultiInferenceRequest(), "call Predict"),
    ):
        code, details = refused(call, request)
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert hint in details


@pytest.mark.parametrize(
    "service", ["", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"]
)
def test_health_is_serving_while_a_version_answers(stubs, service):
    # grpc.io/docs/guides/health-checking
    from grpc_health.v1 import health_pb2

    answer = stubs.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service_is_not_found(stubs):
    from grpc_health.v1 import health_pb2

    code, _ = refused(stubs.health.Check, health_pb2.HealthCheckRequest(service="other"))
    assert code is grpc.StatusCode.NOT_FOUND


def test_many_clients_at_once_get_their_own_answers(stubs, exported):
    with LocalModel(exported(3)) as local:
        expected = {seed: local.predict(some_audio(3, seed)).scores for seed in range(8)}
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for _ in range(20):
            response = stubs.prediction.Predict(predict_request(some_audio(3, seed)), timeout=DEADLINE_S)
            scores = np.array(response.outputs["scores"].float_val).reshape(3, 3)
            if not np.allclose(scores, expected[seed], atol=1e-5):
                wrong.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_health_and_status_answer_while_every_prediction_worker_is_busy(stubs, served_address):
    """Uploads that never end hold the workers of predictions; a supervisor must not take that for death."""
    from grpc_health.v1 import health_pb2

    release = threading.Event()

    def endless():
        release.wait(30)
        yield b""

    with grpc.insecure_channel(served_address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        upload = channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
        calls = [upload.future(endless(), timeout=30) for _ in range(40)]
        try:
            request = health_pb2.HealthCheckRequest(service="")
            answer = stubs.health.Check(request, timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            assert stubs.model.GetModelStatus(_status_request("tidzam"), timeout=5).model_version_status
        finally:
            release.set()
            for call in calls:
                call.cancel()


def test_a_request_whose_deadline_passed_in_the_queue_is_not_computed(embedded, publish):
    publish(3)
    assert embedded.wait_for_generation(30) == 3
    with pytest.raises(RefusalError) as refusal:
        embedded.requests.predict(predict_request(np.zeros((1, WINDOW_FRAMES), np.float32)), 0.0)
    assert refusal.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert b"tidzam_server_expired_total 1.0" in embedded.metrics.render()[0]
