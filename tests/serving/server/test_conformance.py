"""What a client built only from tensorflow-serving-api relies on, beside where TensorFlow Serving says it.

Sources are named by their path in github.com/tensorflow/serving.
"""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from serving.local import LocalModel
from serving.signature import ModelDescription
from tests.serving.server.bare_client import DEADLINE_S, predict_request, refused
from tests.support.tiny_model import WINDOW_FRAMES, description, some_audio


def test_predict_answers_what_the_model_answers_in_process(stubs, exported):
    audio = some_audio(20)
    response = stubs.prediction.Predict(predict_request(audio), timeout=DEADLINE_S)
    with LocalModel(exported(3)) as local:
        expected = local.predict(audio)
    assert set(response.outputs) == {"scores", "embedding", "level_dbfs"}
    # Read the way clients in the field do it.
    scores = np.array(response.outputs["scores"].float_val).reshape(20, 3)
    np.testing.assert_allclose(scores, expected.scores, atol=1e-5)
    embedding = np.array(response.outputs["embedding"].float_val).reshape(20, 8)
    np.testing.assert_allclose(embedding, expected.embedding, atol=1e-5)
    np.testing.assert_allclose(response.outputs["level_dbfs"].float_val, expected.level_dbfs, atol=1e-4)


def test_predict_says_which_model_version_and_signature_answered(stubs):
    # tensorflow_serving/apis/predict.proto: "Effective Model Specification used to process PredictRequest"
    spec = stubs.prediction.Predict(predict_request(some_audio(1)), timeout=DEADLINE_S).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("tidzam", 3, "serving_default")


def test_predict_takes_the_version_by_number(stubs):
    response = stubs.prediction.Predict(predict_request(some_audio(1), version=3), timeout=DEADLINE_S)
    assert response.model_spec.version.value == 3


def test_the_describe_signature_tells_a_client_all_it_needs(stubs):
    request = predict_request(signature="describe", request=np.array([7], np.int32))
    response = stubs.prediction.Predict(request, timeout=DEADLINE_S)
    assert ModelDescription.from_json(response.outputs["json"].string_val[0]) == description(3)


def test_describe_answers_each_row_so_that_requests_may_be_joined(stubs):
    request = predict_request(signature="describe", request=np.zeros(3, np.int32))
    response = stubs.prediction.Predict(request, timeout=DEADLINE_S)
    assert len(set(response.outputs["json"].string_val)) == 1
    assert len(response.outputs["json"].string_val) == 3
    many = predict_request(signature="describe", request=np.zeros(100_000, np.int32))
    assert refused(stubs.prediction.Predict, many)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_output_filter_chooses_the_outputs(stubs):
    # tensorflow_serving/apis/predict.proto: output_filter
    request = predict_request(some_audio(2))
    request.output_filter.append("level_dbfs")
    response = stubs.prediction.Predict(request, timeout=DEADLINE_S)
    assert list(response.outputs) == ["level_dbfs"]


@pytest.mark.parametrize("rows", [0, 1, 3, 64, 100])
def test_a_batch_may_have_any_size(stubs, rows):
    response = stubs.prediction.Predict(predict_request(some_audio(rows)), timeout=DEADLINE_S)
    assert [size.size for size in response.outputs["scores"].tensor_shape.dim] == [rows, 3]


_WINDOW = np.zeros((1, WINDOW_FRAMES), np.float32)
_NAN = np.stack([_WINDOW[0], np.where(np.arange(WINDOW_FRAMES) == 5, np.nan, 0)]).astype(np.float32)
_REFUSALS = {
    # server_core.cc ServableRequestFromModelSpec
    "no model name": (
        {"audio": _WINDOW, "name": ""},
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    ),
    # core/basic_manager.cc GetUntypedServableHandle
    "unknown model": (
        {"audio": _WINDOW, "name": "other"},
        "NOT_FOUND",
        "Servable not found for request: Latest(other)",
    ),
    "unknown version": (
        {"audio": _WINDOW, "version": 9},
        "NOT_FOUND",
        "Servable not found for request: Specific(tidzam, 9)",
    ),
    "version zero": (
        {"audio": _WINDOW, "version": 0},
        "NOT_FOUND",
        "Servable not found for request: Specific(tidzam, 0)",
    ),
    # servables/tensorflow/predict_util.cc RunPredict
    "unknown signature": (
        {"audio": _WINDOW, "signature": "other"},
        "FAILED_PRECONDITION",
        'Serving signature key "other" not found.',
    ),
    # predict_util.cc VerifyRequestInputsSize
    "no input": (
        {},
        "INVALID_ARGUMENT",
        (
            "input size does not match signature: 0!=1 len({}) != len({audio}). "
            "Sent extra: {}. Missing but required: {audio}."
        ),
    ),
    "an input too many": (
        {"audio": _WINDOW, "more": _WINDOW},
        "INVALID_ARGUMENT",
        (
            "input size does not match signature: 2!=1 len({audio,more}) != len({audio}). "
            "Sent extra: {more}. Missing but required: {}."
        ),
    ),
    # TensorFlow's cc/saved_model/util.cc GetInputValues
    "wrong input name": (
        {"sound": _WINDOW},
        "INVALID_ARGUMENT",
        "input tensor alias not found in signature: sound. Inputs expected to be in the set {audio}.",
    ),
    # the words of TensorFlow's _Arg kernel
    "wrong type": (
        {"audio": _WINDOW.astype(np.float64)},
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but double is provided",
    ),
    "strings": (
        {"audio": np.array([b"sound"])},
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but string is provided",
    ),
    # stricter than TensorFlow Serving, which lets the graph fail or not
    "wrong width": (
        {"audio": _WINDOW[:, :-1]},
        "INVALID_ARGUMENT",
        "Incompatible shapes: got [1,1999], the signature has [-1,2000]",
    ),
    "wrong rank": (
        {"audio": _WINDOW[0]},
        "INVALID_ARGUMENT",
        "Incompatible shapes: got [2000], the signature has [-1,2000]",
    ),
    "not a number": (
        {"audio": _NAN},
        "INVALID_ARGUMENT",
        "row 1 of audio holds nan at sample 5: send finite numbers",
    ),
    "integers nobody scaled": (
        {"audio": _WINDOW + 12_345},
        "INVALID_ARGUMENT",
        "row 0 of audio reaches 12345, where full scale is 1",
    ),
}


@pytest.mark.parametrize("case", _REFUSALS)
def test_wrong_requests_get_canonical_codes_and_tensorflow_servings_words(stubs, case):
    arguments, code, words = _REFUSALS[case]
    got, details = refused(stubs.prediction.Predict, predict_request(**arguments))
    assert got.name == code
    assert words in details


def test_a_request_without_a_model_is_refused(stubs):
    # servables/tensorflow/predict_impl.cc, get_model_metadata_impl.cc, model_servers/get_model_status_impl.cc
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

    for call, request in (
        (stubs.prediction.Predict, predict_pb2.PredictRequest()),
        (stubs.prediction.GetModelMetadata, get_model_metadata_pb2.GetModelMetadataRequest()),
        (stubs.model.GetModelStatus, get_model_status_pb2.GetModelStatusRequest()),
    ):
        assert refused(call, request) == (grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")


def test_an_unknown_version_label_is_refused(stubs):
    # model_servers/server_core.cc GetModelVersionForLabel
    request = predict_request(_WINDOW)
    request.model_spec.version_label = "canary"
    code, details = refused(stubs.prediction.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == "Unrecognized servable version label: canary"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ["sound"],
            (
                "output tensor alias not found in signature: sound Outputs expected to be in the set "
                "{embedding,level_dbfs,scores}."
            ),
        ),
        (["scores", "scores"], "duplicate output tensor alias: scores"),
    ],
)
def test_a_wrong_output_filter_is_refused(stubs, names, words):
    # predict_util.cc PreProcessPrediction
    request = predict_request(_WINDOW)
    request.output_filter.extend(names)
    assert refused(stubs.prediction.Predict, request) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_a_tensor_that_claims_terabytes_is_refused(stubs):
    request = predict_request(_WINDOW)
    request.inputs["audio"].tensor_content = b""
    request.inputs["audio"].float_val.append(0.0)
    request.inputs["audio"].tensor_shape.dim[0].size = 1 << 40
    code, details = refused(stubs.prediction.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "tensor parsing error: audio" in details


def test_what_a_client_sent_is_quoted_shortly(stubs):
    code, details = refused(stubs.prediction.Predict, predict_request(_WINDOW, name="x" * 1_000_000))
    assert code is grpc.StatusCode.NOT_FOUND
    assert len(details) == 1000


def test_a_message_over_the_limit_is_refused(stubs):
    # the server of this module takes 4 MB
    code, _ = refused(stubs.prediction.Predict, predict_request(some_audio(700)))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
