"""Requests that no client of good will sends: bytes, protos, audio and JSON, drawn by hypothesis."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.serving.server.bare_client import predict_request
from tests.support.tiny_model import WINDOW_FRAMES, some_audio

_PREDICTION = "/tensorflow.serving.PredictionService"
_MODEL = "/tensorflow.serving.ModelService"
GRPC_METHODS = (
    f"{_PREDICTION}/Predict",
    f"{_PREDICTION}/Classify",
    f"{_PREDICTION}/Regress",
    f"{_PREDICTION}/MultiInference",
    f"{_PREDICTION}/GetModelMetadata",
    f"{_PREDICTION}/NoSuchMethod",
    f"{_MODEL}/GetModelStatus",
    f"{_MODEL}/HandleReloadConfigRequest",
    "/grpc.health.v1.Health/Check",
)
PREDICT = GRPC_METHODS[0]

_TEXTS = st.one_of(
    st.sampled_from(["", "tidzam", "audio", "request", "scores", "serving_default", "describe", "stable"]),
    st.text(max_size=20),
    st.builds(
        lambda text, times: text * times, st.text(min_size=1, max_size=3), st.sampled_from([400, 5000])
    ),
)
_INT64 = st.one_of(
    st.integers(-2, 4), st.sampled_from([WINDOW_FRAMES, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63)])
)


def valid_messages() -> dict[str, bytes]:
    """A right request by method, to be spoilt."""
    from grpc_health.v1 import health_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_management_pb2

    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = "tidzam"
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "tidzam"
    reload = model_management_pb2.ReloadConfigRequest()
    model = reload.config.model_config_list.config.add(name="tidzam", model_platform="tensorflow")
    model.model_version_policy.specific.versions.append(3)
    model.version_labels["stable"] = 3
    messages = {method: predict_request(some_audio(1)) for method in GRPC_METHODS[:4]}
    others = (metadata, status, status, reload, health_pb2.HealthCheckRequest())
    messages |= dict(zip(GRPC_METHODS[4:], others, strict=True))
    return {method: message.SerializeToString() for method, message in messages.items()}


def raw_messages() -> st.SearchStrategy[tuple[str, bytes]]:
    """Any bytes, sent to any method."""
    return st.tuples(st.sampled_from(GRPC_METHODS), st.binary(max_size=300))


def spoilt_messages() -> st.SearchStrategy[tuple[str, bytes]]:
    """Right requests with some bytes changed, left out, put in, or cut off at the end."""
    messages = valid_messages()
    place = st.one_of(
        st.integers(0, 120), st.integers(0, 10_000)
    )  # most of the fields stand at the beginning
    edit = st.tuples(
        place, st.sampled_from(["change", "remove", "insert", "cut"]), st.binary(min_size=1, max_size=6)
    )
    return st.builds(
        lambda method, edits: (method, _edited(messages[method], edits)),
        st.sampled_from(GRPC_METHODS),
        st.lists(edit, min_size=1, max_size=4),
    )


def _edited(message: bytes, edits: list[tuple[int, str, bytes]]) -> bytes:
    for place, kind, new in edits:
        at = place % (len(message) + 1)
        if kind == "cut":
            message = message[:at]
        else:
            kept = at if kind == "insert" else at + len(new)
            message = message[:at] + (b"" if kind == "remove" else new) + message[kept:]
    return message


@st.composite
def odd_protos(draw: st.DrawFn) -> tuple[str, bytes]:
    """PredictRequests that parse: wrong names, types, shapes, numbers of values, and claims of terabytes."""
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    # Most name the model, so that what else is wrong with them is seen.
    request.model_spec.name = draw(st.one_of(st.just("tidzam"), st.just("tidzam"), _TEXTS))
    request.model_spec.signature_name = draw(_TEXTS)
    choice = draw(st.sampled_from(["none", "none", "version", "label"]))
    if choice == "version":
        request.model_spec.version.value = draw(st.one_of(st.just(3), _INT64))
    elif choice == "label":
        request.model_spec.version_label = draw(_TEXTS)
    request.output_filter.extend(draw(st.lists(_TEXTS, max_size=2)))
    names = draw(
        st.one_of(st.just(["audio"]), st.just(["request"]), st.lists(_TEXTS, max_size=3, unique=True))
    )
    for name in names:
        _fill_oddly(draw, request.inputs[name])
    return PREDICT, request.SerializeToString()


def _fill_oddly(draw: st.DrawFn, tensor) -> None:
    # float, int32 and string are what the signatures know; 0 to 30 and 101 to 130 are defined, others are not.
    tensor.dtype = draw(st.one_of(st.sampled_from([1, 1, 3, 7]), st.integers(-3, 140)))
    shape = draw(st.one_of(st.just([1, WINDOW_FRAMES]), st.lists(_INT64, max_size=5), st.just([1] * 300)))
    for size in shape:
        tensor.tensor_shape.dim.add(size=size, name=draw(st.sampled_from(["", "batch"])))
    tensor.tensor_shape.unknown_rank = draw(st.sampled_from([False, False, False, True]))
    tensor.version_number = draw(st.sampled_from([0, -1]))
    tensor.tensor_content = draw(
        st.one_of(st.just(b""), st.binary(max_size=40), st.just(bytes(4 * WINDOW_FRAMES)))
    )
    tensor.float_val.extend(draw(st.lists(st.floats(width=32), max_size=3)))
    tensor.int_val.extend(draw(st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=2)))
    tensor.string_val.extend(draw(st.lists(st.binary(max_size=5), max_size=2)))
    tensor.half_val.extend(draw(st.lists(st.integers(0, 1 << 17), max_size=1)))


@st.composite
def odd_audio(draw: st.DrawFn) -> tuple[str, bytes]:
    """Tensors of the right type: any numbers in them, any number of rows, windows of any length."""
    rows = draw(st.sampled_from([0, 1, 1, 1, 2, 2, 3, 3, 17, 65, 600]))  # 600 are beyond the limit
    samples = draw(st.one_of(st.just(WINDOW_FRAMES), st.just(WINDOW_FRAMES), st.integers(0, 3000)))
    audio = np.zeros((rows, samples), np.float32)
    if audio.size:
        for value in draw(st.lists(st.floats(width=32), max_size=4)):
            audio.flat[draw(st.integers(0, audio.size - 1))] = value
    return PREDICT, predict_request(audio).SerializeToString()


@dataclass(frozen=True)
class RestRequest:
    """What is sent over HTTP."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


_PATHS = (
    "/v1/models/tidzam:predict",
    "/v1/models/tidzam/versions/3:predict",
    "/v1/models/tidzam/labels/stable:predict",
    "/v1/models/tidzam:classify",
    "/v1/models/tidzam:regress",
    "/v1/models/tidzam/metadata",
    "/v1/models/tidzam",
)
_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.builds(lambda text: {"b64": text}, st.sampled_from(["", "AAAA", "AAA", "?"])),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["audio", "request", "b64", "x"]), inner, max_size=3),
    ),
    max_leaves=12,
)
_DOCUMENTS = st.builds(
    lambda kind, value, more: json.dumps({kind: value, **more}).encode(),
    st.sampled_from(["instances", "inputs", "examples", ""]),
    _JSON,
    st.one_of(
        st.just({}),
        st.dictionaries(st.sampled_from(["signature_name", "inputs", "instances"]), _JSON, max_size=2),
    ),
)
# What a JSON document may hold that Python's would not write.
_PIECES = st.sampled_from(
    [
        *(
            b"[",
            b"]",
            b"{",
            b"}",
            b",",
            b":",
            b'"',
            b'"instances"',
            b'{"instances":',
            b'{"inputs":',
            b'"b64"',
        ),
        *(b"1", b"-", b"0123", b"1e999", b"-0", b"1.", b".5", b"1E+400", b"9" * 400, b"0." + b"1" * 400),
        *(b"NaN", b"Infinity", b"-Infinity", b"nan", b"true", b"null", b"//", b"\r\n\t ", b"'", b"\x00"),
        *(b"\xff\xfe", b"\xef\xbb\xbf", b"\\u", b'"\\ud800"'),
        *(b"[" * 300, b"[" * 20_000, b'{"x":' * 5_000, b"0," * 3_000, b"[]," * 3_000),
    ]
)
_RIGHT = b'{"inputs": {"request": [1]}, "signature_name": "describe"}'
_BODIES = st.one_of(
    st.just(_RIGHT),
    _DOCUMENTS,
    _DOCUMENTS,
    st.lists(_PIECES, max_size=12).map(b"".join),
    st.binary(max_size=60),
)
_HEADERS = st.one_of(
    st.just({}),
    st.sampled_from([{"Content-Encoding": "gzip"}, {"Content-Type": "text/plain"}, {"Accept": "image/png"}]),
    st.sampled_from([{"Host": "elsewhere.example"}, {"X-Long": "x" * 5_000}, {"Expect": "100-continue"}]),
)


def rest_requests() -> st.SearchStrategy[RestRequest]:
    """JSON that is deep, odd, or none at all; now and then another method, path or header."""
    odd_path = st.text("abz019/:%.?#-_", max_size=20).map(lambda text: f"/{text}")
    return st.builds(
        RestRequest,
        st.sampled_from(["POST", "POST", "POST", "GET", "GET", "PUT", "DELETE", "HEAD"]),
        st.one_of(st.just(_PATHS[0]), st.just(_PATHS[0]), st.sampled_from(_PATHS), odd_path),
        _BODIES,
        _HEADERS,
    )
