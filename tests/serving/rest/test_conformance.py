"""What TensorFlow Serving's REST API answers, beside where it says so, in github.com/tensorflow/serving.

``api_rest.md`` is in tensorflow_serving/g3doc, the others in tensorflow_serving/model_servers unless a path is given.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.tiny_model import WINDOW_FRAMES, some_audio

MODEL = "/v1/models/tidzam"

_AUDIO = some_audio(3)


@pytest.fixture
def expected(served):
    """What gRPC answers to three windows, as arrays by name."""
    import tensorflow as tf

    from tests.serving.server.bare_client import predict_request

    response = served.requests.predict(predict_request(_AUDIO), 10)
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


# api_rest.md, "Predict API", "Specifying input tensors in row format"; version and label as in its "URL"
ROWS = {
    "plain rows": (f"{MODEL}:predict", {"instances": _AUDIO.tolist()}),
    "rows of named inputs": (f"{MODEL}:predict", {"instances": [{"audio": row} for row in _AUDIO.tolist()]}),
    "a version": (f"{MODEL}/versions/3:predict", {"instances": _AUDIO.tolist()}),
    "a label": (f"{MODEL}/labels/stable:predict", {"instances": _AUDIO.tolist()}),
    "the signature by name": (
        f"{MODEL}:predict",
        {"signature_name": "serving_default", "instances": _AUDIO.tolist()},
    ),
    # http_rest_api_util_test.cc TestParseModelInfoForPost: percent signs in names
    "a name with percent signs": (
        "/v1/models/%74idzam/labels/st%61ble:predict",
        {"instances": _AUDIO.tolist()},
    ),
    # http_rest_api_util.cc: the patterns begin with (?i)
    "capitals in the path": ("/V1/Models/tidzam:predict", {"instances": _AUDIO.tolist()}),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_are_answered_with_one_object_each(rest, expected, case):
    # api_rest.md, "Response format": several named outputs are a list of objects
    path, body = ROWS[case]
    answer = rest("POST", path, body)
    assert answer.code == 200
    assert list(answer.json) == ["predictions"]
    rows = answer.json["predictions"]
    assert [set(row) for row in rows] == [set(expected)] * 3
    for name, values in expected.items():
        sent = np.array([row[name] for row in rows])
        assert sent.shape == values.shape
        # A batch may be cut elsewhere than in the request that it is compared with.
        np.testing.assert_allclose(sent, values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("inputs", [_AUDIO.tolist(), {"audio": _AUDIO.tolist()}], ids=["plain", "named"])
def test_columns_are_answered_with_one_object(rest, expected, inputs):
    # api_rest.md, "Specifying input tensors in column format"
    answer = rest("POST", f"{MODEL}:predict", {"inputs": inputs})
    assert answer.code == 200
    assert list(answer.json) == ["outputs"]
    assert set(answer.json["outputs"]) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(np.array(answer.json["outputs"][name]), values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("key", "answer_key"), [("instances", "predictions"), ("inputs", "outputs")])
def test_a_single_output_is_answered_without_its_name(rest, key, answer_key):
    # api_rest.md, "Response format": "If the output of the model contains only one named tensor, we omit the name"
    answer = rest("POST", f"{MODEL}:predict", {"signature_name": "describe", key: [7]})
    assert answer.code == 200
    (text,) = answer.json[answer_key]
    assert '"generation": 3' in text


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/3", f"{MODEL}/labels/stable"])
def test_status(rest, path):
    # http_rest_api_handler_test.cc GetStatus: the version is a string, fields without a value are there
    answer = rest("GET", path)
    assert answer.code == 200
    status = {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert answer.json == {"model_version_status": [status]}


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/3", f"{MODEL}/labels/stable"])
def test_metadata(rest, path):
    # servables/tensorflow/testdata/saved_model_half_plus_two_2_versions_metadata.json
    answer = rest("GET", f"{path}/metadata")
    assert answer.code == 200
    assert answer.json["model_spec"] == {"name": "tidzam", "signature_name": "", "version": "3"}
    assert set(answer.json["metadata"]) == {"signature_def"}
    signatures = answer.json["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) >= {"serving_default", "describe"}
    predict = signatures["serving_default"]
    assert set(predict) == {"inputs", "outputs", "method_name", "defaults"}
    assert predict["method_name"] == "tensorflow/serving/predict"
    assert predict["defaults"] == {}
    audio = predict["inputs"]["audio"]
    assert audio["dtype"] == "DT_FLOAT"
    assert audio["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": str(WINDOW_FRAMES), "name": ""}],
        "unknown_rank": False,
    }


def test_prometheus_figures_count_rest_requests(rest):
    # prometheus_exporter.cc kPrometheusPath; http_server.cc ProcessPrometheusRequest
    rest("POST", f"{MODEL}:predict", {"signature_name": "describe", "inputs": [7]})
    answer = rest("GET", "/monitoring/prometheus/metrics")
    assert answer.code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    line = ':tensorflow:serving:request_latency_count{API="Predict",entrypoint="REST",model_name="tidzam"}'
    (count,) = [
        text.rpartition(" ")[2] for text in answer.body.decode().splitlines() if text.startswith(line)
    ]
    assert float(count) >= 1
