"""What TensorFlow Serving's REST API refuses, and how, beside where it says so, in github.com/tensorflow/serving.

``api_rest.md`` is in tensorflow_serving/g3doc, ``json_tensor.cc`` in tensorflow_serving/util, the others are in
tensorflow_serving/model_servers.
"""

from __future__ import annotations

import pytest

from tests.support.tiny_model import WINDOW_FRAMES

MODEL = "/v1/models/tidzam"
WINDOW = [0.25] * WINDOW_FRAMES
_HUGE = 2**64 - 1

# Case: method, path, body, code, words of the error.
REFUSALS = {
    # http_rest_api_handler_test.cc UnsupportedApiCalls
    "GET of another resource": ("GET", "/v1/foo", None, 400, "Malformed request: GET /v1/foo"),
    "POST to another resource": ("POST", "/v1/foo", "", 400, "Malformed request: POST /v1/foo"),
    "no model": ("GET", "/v1/models", None, 400, "Missing model name in request."),
    "an unknown word after the model": (
        "GET",
        "/v1/models/debug/model_name",
        None,
        400,
        "Malformed request: GET /v1/models/debug/model_name",
    ),
    "POST to all models": ("POST", "/v1/models", "", 400, "Malformed request: POST /v1/models"),
    "GET of a prediction": (
        "GET",
        f"{MODEL}:predict",
        None,
        400,
        "Malformed request: GET /v1/models/tidzam:predict",
    ),
    "version for versions": (
        "POST",
        f"{MODEL}/version/3:predict",
        "{}",
        400,
        "Malformed request: POST /v1/models/tidzam/version/3:predict",
    ),
    "a version that is a word": (
        "POST",
        f"{MODEL}/versions/HELLO:predict",
        "{}",
        400,
        "Malformed request: POST /v1/models/tidzam/versions/HELLO:predict",
    ),
    "a version beyond 64 bits": (
        "POST",
        f"{MODEL}/versions/{_HUGE}:predict",
        "{}",
        400,
        f"Failed to convert version: {_HUGE} to numeric.",
    ),
    "POST of metadata": (
        "POST",
        f"{MODEL}/metadata",
        "",
        400,
        "Malformed request: POST /v1/models/tidzam/metadata",
    ),
    "label for labels": (
        "POST",
        f"{MODEL}/label/stable:predict",
        "{}",
        400,
        "Malformed request: POST /v1/models/tidzam/label/stable:predict",
    ),
    "version and label": (
        "POST",
        f"{MODEL}/versions/3/labels/stable:predict",
        "{}",
        400,
        "Malformed request: POST /v1/models/tidzam/versions/3/labels/stable:predict",
    ),
    "a method in capitals": (
        "POST",
        f"{MODEL}:PREDICT",
        "{}",
        400,
        "Malformed request: POST /v1/models/tidzam:PREDICT",
    ),
    # http_rest_api_handler.cc ProcessRequest: neither POST nor GET
    "another HTTP method": ("PUT", MODEL, "{}", 400, "Malformed request: PUT /v1/models/tidzam"),
    # api_rest.md, "Example": the last one; http_server.cc ToHTTPStatusCode
    "an unknown model": (
        "POST",
        "/v1/models/half:predict",
        {"instances": [1.0, 5.0]},
        404,
        "Servable not found for request: Latest(half)",
    ),
    "an unknown version": (
        "POST",
        f"{MODEL}/versions/99:predict",
        {"instances": [1.0]},
        404,
        "Servable not found for request: Specific(tidzam, 99)",
    ),
    # http_rest_api_handler_test.cc PredictRequestErrors
    "an unknown label": (
        "POST",
        f"{MODEL}/labels/Version_Nonexistent:predict",
        {"instances": [1.0]},
        400,
        "Unrecognized servable version label: Version_Nonexistent",
    ),
    "an empty body": ("POST", f"{MODEL}:predict", "", 400, "JSON Parse error: The document is empty"),
    "no JSON": (
        "POST",
        f"{MODEL}:predict",
        "instances = [1, 2]",
        400,
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "strings for floats": (
        "POST",
        f"{MODEL}:predict",
        {"instances": ["x", "y"]},
        400,
        (
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
            'JSON Value: "x" Type: String is not of expected type: float'
        ),
    ),
    "a signature name that is a number": (
        "POST",
        f"{MODEL}:predict",
        {"signature_name": 100},
        400,
        (
            'JSON Value: {\n    "signature_name": 100\n} not formatted correctly. '
            "'signature_name' key must be a string value."
        ),
    ),
    # json_tensor.cc ParseJson
    "a list": ("POST", f"{MODEL}:predict", [], 400, "JSON Value: [] Is not object"),
    # json_tensor.cc FillPredictRequestFromJson
    "both formats": (
        "POST",
        f"{MODEL}:predict",
        {"instances": [1], "inputs": [1]},
        400,
        (
            'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": [\n        1\n    ]\n} '
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        ),
    ),
    "neither format": ("POST", f"{MODEL}:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
    "instances that are no list": (
        "POST",
        f"{MODEL}:predict",
        {"instances": 1},
        400,
        "JSON Value: {\n    \"instances\": 1\n} Expecting 'instances' to be an list/array",
    ),
    "no instances": (
        "POST",
        f"{MODEL}:predict",
        {"instances": []},
        400,
        "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
    ),
    # json_tensor.cc AddInstanceItem
    "rows of unlike size": (
        "POST",
        f"{MODEL}:predict",
        {"instances": [[1, 2], [1]]},
        400,
        (
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting tensor size: 2 but got: 1"
        ),
    ),
    "rows of unlike shape": (
        "POST",
        f"{MODEL}:predict",
        {"instances": [[1, 2], [[1, 2]]]},
        400,
        (
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting shape [2] but got: [1,2]"
        ),
    ),
    "another name": (
        "POST",
        f"{MODEL}:predict",
        {"instances": [{"sound": [1]}]},
        400,
        (
            "Failed to process element: 0 key: sound of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: sound"
        ),
    ),
    # json_tensor.cc FillTensorMapFromInstancesList
    "a list among objects": (
        "POST",
        f"{MODEL}:predict",
        {"instances": [{"audio": [1]}, [1]]},
        400,
        "Expecting object but got list at item 1 of input list",
    ),
    "an object among lists": (
        "POST",
        f"{MODEL}:predict",
        {"instances": [[1], {"audio": [1]}]},
        400,
        "Expecting value/list but got object at item 1 of input list",
    ),
    # json_tensor.cc FillTensorMapFromInputsMap
    "a column that is missing": (
        "POST",
        f"{MODEL}:predict",
        {"inputs": {"sound": [[1]]}},
        400,
        "Missing named input: audio in 'inputs' object.",
    ),
    # json_tensor.cc FillTensorProto
    "a ragged column": (
        "POST",
        f"{MODEL}:predict",
        {"inputs": [[1, 2], [1]]},
        400,
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "a list where values are": (
        "POST",
        f"{MODEL}:predict",
        {"inputs": [1, [1]]},
        400,
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    "a value where lists are": (
        "POST",
        f"{MODEL}:predict",
        {"inputs": [[1], 2]},
        400,
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    "bytes for floats": (
        "POST",
        f"{MODEL}:predict",
        {"instances": [{"b64": "AAAA"}]},
        400,
        (
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
            'JSON Value: {\n    "b64": "AAAA"\n} Type: Object is not of expected type: float'
        ),
    ),
    # http_rest_api_handler.cc GetInfoMap
    "an unknown signature": (
        "POST",
        f"{MODEL}:predict",
        {"signature_name": "other", "instances": [1]},
        400,
        'Serving signature name: "other" not found in signature def',
    ),
    "decimals for int32": (
        "POST",
        f"{MODEL}:predict",
        {"signature_name": "describe", "inputs": [1.5]},
        400,
        "JSON Value: 1.5 Type: Number is not of expected type: int32",
    ),
    # get_model_status_impl.cc
    "status of an unknown model": (
        "GET",
        "/v1/models/half",
        None,
        404,
        "Could not find any versions of model half",
    ),
    "status of an unknown version": (
        "GET",
        f"{MODEL}/versions/99",
        None,
        404,
        "Could not find version 99 of model tidzam",
    ),
    # http_rest_api_handler.cc ProcessModelMetadataRequest
    "metadata of an unknown model": (
        "GET",
        "/v1/models/half/metadata",
        None,
        404,
        "Servable not found for request: Latest(half)",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_have_the_codes_and_words_of_tensorflow_serving(rest, case):
    method, path, body, code, words = REFUSALS[case]
    answer = rest(method, path, body)
    assert (answer.code, answer.error) == (code, words)


# Case: path, body, the answer's code and what its error begins with; the words are our own.
REFUSALS_OF_OURS = {
    "a shape that is not the signature's": (
        f"{MODEL}:predict",
        {"instances": [[1.0, 2.0, 3.0]]},
        400,
        "input tensor audio: Incompatible shapes: got [1,3]",
    ),
    # api_rest.md, "JSON conformance": the token is read, the model refuses the audio
    "audio that is no number": (
        f"{MODEL}:predict",
        {"instances": [WINDOW, [float("nan"), *WINDOW[1:]]]},
        400,
        "row 1 of audio holds nan at sample 0",
    ),
    "infinite audio": (
        f"{MODEL}:predict",
        {"instances": [[*WINDOW[1:], float("-inf")]]},
        400,
        "row 0 of audio holds -inf at sample 1999",
    ),
    # api_rest.md, "Floating Point Precision": what a float cannot hold is converted in silence
    "audio beyond a float": (
        f"{MODEL}:predict",
        {"instances": [[1e300, *WINDOW[1:]]]},
        400,
        "row 0 of audio holds inf at sample 0",
    ),
    "classify": (f"{MODEL}:classify", {"examples": [{"x": 1.0}]}, 501, "the model takes audio"),
    "regress": (f"{MODEL}:regress", {"examples": [{"x": 1.0}]}, 501, "the model takes audio"),
}


@pytest.mark.parametrize("case", REFUSALS_OF_OURS)
def test_what_the_model_cannot_do_is_said(rest, case):
    path, body, code, words = REFUSALS_OF_OURS[case]
    answer = rest("POST", path, body)
    assert answer.code == code
    assert answer.error.startswith(words)


def test_paths_outside_of_the_api_are_not_found(rest):
    # util/net_http/server/internal/evhttp_server.cc DispatchEvRequest: HTTP_NOTFOUND; there the page is HTML
    for path in ("/", "/v2/models/tidzam", "/v1", "//v1/models/tidzam", "/monitoring/prometheus"):
        answer = rest("GET", path)
        assert answer.code == 404, path
        assert answer.error.startswith("Not Found: ")
