"""JSON values to tensors: tables of tensorflow/serving's tensorflow_serving/util/json_tensor_test.cc, and more."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.server.refusals import RefusalError
from serving.server.rest.json_text import parse_json
from serving.server.rest.predict_request import fill_inputs


def filled(body, **inputs: str):
    """Format and tensors (arrays by name) of a request whose ``inputs`` are types by name, e.g. ``x="DT_INT32"``."""
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.protobuf import meta_graph_pb2
    from tensorflow_serving.apis import predict_pb2

    text = body if isinstance(body, str) else json.dumps(body)
    wanted = {
        name: meta_graph_pb2.TensorInfo(dtype=types_pb2.DataType.Value(kind)) for name, kind in inputs.items()
    }
    request = predict_pb2.PredictRequest()
    form = fill_inputs(parse_json(text.encode(), 100_000), wanted, request.inputs)
    for name, tensor in request.inputs.items():
        assert tensor.dtype == wanted[name].dtype
    return form, {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}


def refused(body, **inputs: str) -> str:
    with pytest.raises(RefusalError) as caught:
        filled(body, **inputs)
    assert caught.value.code.name == "INVALID_ARGUMENT"
    return caught.value.message


# json_tensor_test.cc: the test's name, the request, the types, the format, the tensors.
_ACCEPTED = {
    "SingleUnnamedTensor": (
        {"instances": [[1, 2], [3, 4], [5, 6]]},
        {"default": "DT_INT32"},
        "row",
        {"default": [[1, 2], [3, 4], [5, 6]]},
    ),
    "MixedInputForFloatTensor": (
        {"instances": [1, 2.0, 3, 4, 5.003, 0.007, 0.0]},
        {"default": "DT_FLOAT"},
        "row",
        {"default": [1, 2, 3, 4, np.float32(5.003), np.float32(0.007), 0]},
    ),
    "MixedInputForDoubleTensor": (
        {"instances": [1.0, 2, 3, 4, 0.662, 0, 0.0]},
        {"default": "DT_DOUBLE"},
        "row",
        {"default": [1, 2, 3, 4, 0.662, 0, 0]},
    ),
    "SingleUnnamedTensorBase64Scalars": (
        {"instances": [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}]},
        {"default": "DT_STRING"},
        "row",
        {"default": [b"hello", b"world"]},
    ),
    "SingleUnnamedTensorBase64Lists": (
        {"instances": [[{"b64": "aGVsbG8="}], [{"b64": "d29ybGQ="}]]},
        {"default": "DT_STRING"},
        "row",
        {"default": [[b"hello"], [b"world"]]},
    ),
    "SingleNamedTensorBase64": (
        {"instances": [{"default": [[{"b64": "aGVsbG8="}], [{"b64": "d29ybGQ="}]]}]},
        {"default": "DT_STRING"},
        "row",
        {"default": [[[b"hello"], [b"world"]]]},
    ),
    "MultipleNamedTensor": (
        (
            '{"instances": [{"i": [[1,2],[3,4],[5,6]], "s": ["foo", "bar"], "f": [1.0, NaN], "d": [NaN]},'
            '{"i": [[7,8],[9,0],[1,2]], "s": ["baz", "bat"], "f": [2.0, Infinity], "d": [2.0]}]}'
        ),
        {"i": "DT_INT32", "s": "DT_STRING", "f": "DT_FLOAT", "d": "DT_DOUBLE"},
        "row",
        {
            "i": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]],
            "s": [[b"foo", b"bar"], [b"baz", b"bat"]],
            "f": [[1, np.nan], [2, np.inf]],
            "d": [[np.nan], [2]],
        },
    ),
    "SingleUnnamedTensorColumnarFormat": (
        {"inputs": [[[1, 2], [3, 4], [5, 6]]]},
        {"int_tensor": "DT_INT32"},
        "column",
        {"int_tensor": [[[1, 2], [3, 4], [5, 6]]]},
    ),
    "MultipleNamedTensorColumnarFormat": (
        {"inputs": {"i": [[[1, 2], [3, 4], [5, 6]]], "s": ["foo", "bar"], "b": {"b64": "aGVsbG8="}}},
        {"i": "DT_INT32", "s": "DT_STRING", "b": "DT_STRING"},
        "column",
        {"i": [[[1, 2], [3, 4], [5, 6]]], "s": [b"foo", b"bar"], "b": b"hello"},
    ),
    # api_rest.md, table "JSON mapping"
    "bool": ({"inputs": [True, False]}, {"x": "DT_BOOL"}, "column", {"x": [True, False]}),
    "uint64": ({"inputs": [2**64 - 1]}, {"x": "DT_UINT64"}, "column", {"x": [2**64 - 1]}),
    "int64": ({"inputs": [-(2**63)]}, {"x": "DT_INT64"}, "column", {"x": [-(2**63)]}),
    "uint8": ({"inputs": [255]}, {"x": "DT_UINT8"}, "column", {"x": [255]}),
    "a scalar column": ({"inputs": 3.5}, {"x": "DT_FLOAT"}, "column", {"x": 3.5}),
    "no rows": ({"inputs": []}, {"x": "DT_FLOAT"}, "column", {"x": []}),
    # json_tensor.cc FillTensorMapFromInputsMap looks for the signature's names only
    "a column too many": ({"inputs": {"x": [1], "y": [2]}}, {"x": "DT_INT32"}, "column", {"x": [1]}),
    # absl::Base64Unescape: padding may be missing
    "unpadded base64": ({"inputs": {"b64": "aGVsbG8"}}, {"x": "DT_STRING"}, "column", {"x": b"hello"}),
}


@pytest.mark.parametrize("case", _ACCEPTED)
def test_values_become_tensors(case):
    body, inputs, form, tensors = _ACCEPTED[case]
    read_form, read = filled(body, **inputs)
    assert read_form == form
    assert set(read) == set(tensors)
    for name, expected in tensors.items():
        assert read[name].shape == np.shape(expected)
        np.testing.assert_array_equal(read[name], expected)


# json_tensor_test.cc SingleUnnamedTensorErrors and MultipleNamedTensorErrors; json_tensor.cc
_REFUSED = {
    "sizes": (
        {"instances": [[1, 2], [3, 4], [5, 6, 7]]},
        {"x": "DT_INT32"},
        "Expecting tensor size: 2 but got: 3",
    ),
    "shapes": (
        {"instances": [[1, 2], [3, 4], [[5, 6]]]},
        {"x": "DT_INT32"},
        "Expecting shape [2] but got: [1,2]",
    ),
    "scalar and list": ({"instances": [1, [1]]}, {"x": "DT_INT32"}, "Expecting shape [] but got: [1]"),
    "strings among numbers": (
        {"instances": [[1, 2], ["a", "b"]]},
        {"x": "DT_INT32"},
        'JSON Value: "a" Type: String is not of expected type: int32',
    ),
    "an incomplete row": (
        {"instances": [{"x": 1}]},
        {"x": "DT_INT32", "y": "DT_INT32"},
        'JSON object: {\n    "x": 1\n} keys must be equal to: x,y',
    ),
    "a plain list for two inputs": (
        {"instances": [1]},
        {"x": "DT_INT32", "y": "DT_INT32"},
        "instances is a plain list, but expecting list of objects",
    ),
    "a long plain list for two inputs": (
        {"instances": [1] * 300},
        {"x": "DT_INT32", "y": "DT_INT32"},
        "instances is a plain list, but expecting list of objects",
    ),
    "a plain value for two inputs": (
        {"inputs": [1]},
        {"x": "DT_INT32", "y": "DT_INT32"},
        "inputs is a plain value/list, but expecting an object",
    ),
    "no base64": ({"inputs": {"b64": "a*"}}, {"x": "DT_STRING"}, "Unable to base64 decode"),
    "another object": (
        {"inputs": [{"b65": "aGVsbG8="}]},
        {"x": "DT_STRING"},
        'JSON Value: {\n    "b65": "aGVsbG8="\n} not formatted correctly for base64 data',
    ),
    "a number for a string": (
        {"inputs": [1]},
        {"x": "DT_STRING"},
        "Type: Number is not of expected type: string",
    ),
    "true for a float": (
        {"inputs": [True]},
        {"x": "DT_FLOAT"},
        "JSON Value: true Type: True is not of expected",
    ),
    "true in a long list": (
        {"inputs": [0.5] * 200 + [True]},
        {"x": "DT_FLOAT"},
        "Type: True is not of expected",
    ),
    "null for a float": (
        {"inputs": [None]},
        {"x": "DT_FLOAT"},
        "JSON Value: null Type: Null is not of expected",
    ),
    "1 for true": ({"inputs": [1]}, {"x": "DT_BOOL"}, "Type: Number is not of expected type: bool"),
    "a long list for bools": (
        {"inputs": [1] * 300},
        {"x": "DT_BOOL"},
        "Type: Number is not of expected type: bool",
    ),
    "a long list for strings": ({"inputs": [1] * 300}, {"x": "DT_STRING"}, "Type: Number is not of expected"),
    "a decimal for an integer": (
        {"inputs": [1.0]},
        {"x": "DT_INT64"},
        "JSON Value: 1.0 Type: Number is not of",
    ),
    "decimals for integers": (
        {"inputs": [1.0] * 200},
        {"x": "DT_INT32"},
        "JSON Value: 1.0 Type: Number is not of",
    ),
    "beyond int32": ({"inputs": [2**31]}, {"x": "DT_INT32"}, "JSON Value: 2147483648 Type: Number is not of"),
    "beyond int32 in a long list": (
        {"inputs": [0] * 300 + [2**31]},
        {"x": "DT_INT32"},
        "JSON Value: 2147483648 Type: Number is not of expected type: int32",
    ),
    # stricter than there, where the range of a type below 32 bits is not looked at
    "beyond uint8": ({"inputs": [256]}, {"x": "DT_UINT8"}, "JSON Value: 256 Type: Number is not of expected"),
    "below uint64": ({"inputs": [-1]}, {"x": "DT_UINT64"}, "JSON Value: -1 Type: Number is not of expected"),
    "a long list one level too deep": (
        {"inputs": [1, [0.5] * 200]},
        {"x": "DT_FLOAT"},
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    "a long list one level too high": (
        {"inputs": [[[1.5]], [0.5] * 200]},
        {"x": "DT_FLOAT"},
        "Encountered list at unexpected size: 200 at level: 1 expected size: 1",
    ),
    "a long list of the right size, one level too high": (
        {"inputs": [[[1.5]] * 200, [0.5] * 200]},
        {"x": "DT_FLOAT"},
        "JSON Value: 0.5 found at incorrect level: 3 in the JSON DOM. Expected at level: 3",
    ),
    "too many dimensions": (
        '{"inputs": ' + "[" * 255 + "]" * 255 + "}",
        {"x": "DT_FLOAT"},
        "a tensor has at most 254 dimensions",
    ),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_what_is_no_tensor_is_refused(case):
    body, inputs, words = _REFUSED[case]
    assert words in refused(body, **inputs)


def test_types_that_json_cannot_express_are_unimplemented():
    # json_tensor.cc AddValueToTensor
    with pytest.raises(RefusalError) as caught:
        filled({"inputs": [1]}, x="DT_COMPLEX64")
    assert caught.value.code.name == "UNIMPLEMENTED"
    assert caught.value.message == "Conversion of JSON Value: [\n    1\n] to type: complex64"


def test_a_float_takes_what_it_cannot_hold_exactly():
    # api_rest.md, "Floating Point Precision": the page's own number
    for values in ([1435774380], [1435774380] * 300):
        _, read = filled({"inputs": values}, x="DT_FLOAT")
        assert read["x"].tolist() == [1435774336.0] * len(values)


def test_long_values_are_shortened_in_messages():
    assert len(refused({"inputs": [{"b64": "!", "c": ["x" * 10_000] * 100}]}, x="DT_STRING")) < 400


_SHAPES = st.sampled_from([(1,), (300,), (2, 200), (3, 4, 5)])
_FLOATS = hnp.arrays(np.float32, _SHAPES, elements=st.floats(width=32, allow_nan=False))


@settings(deadline=None)
@given(_FLOATS, st.sampled_from(["instances", "inputs"]))
def test_every_float_comes_through(array, key):
    _, read = filled({key: array.tolist()}, x="DT_FLOAT")
    np.testing.assert_array_equal(read["x"], array)


@settings(deadline=None)
@given(hnp.arrays(np.int64, _SHAPES))
def test_every_integer_comes_through(array):
    _, read = filled({"inputs": array.tolist()}, x="DT_INT64")
    np.testing.assert_array_equal(read["x"], array)
