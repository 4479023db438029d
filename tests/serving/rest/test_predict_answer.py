"""Tensors to JSON: tables of tensorflow/serving's tensorflow_serving/util/json_tensor_test.cc."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.server.refusals import RefusalError
from serving.server.rest.predict_answer import answer_text, decimals


def answered(form, **arrays):
    import tensorflow as tf

    return answer_text({name: tf.make_tensor_proto(array) for name, array in arrays.items()}, form)


_INTS = np.array([[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]], np.int32)
# Named after the tests of json_tensor_test.cc: tensors, then the answers in rows and in columns.
_ANSWERS = {
    "FromJsonSingleTensor": (
        {"int_tensor": _INTS},
        {"predictions": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]]},
        {"outputs": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]]},
    ),
    "FromJsonSingleScalarTensor": (
        {"int_tensor": np.array([1, 2, 3, 4, 5], np.int32)},
        {"predictions": [1, 2, 3, 4, 5]},
        {"outputs": [1, 2, 3, 4, 5]},
    ),
    "FromJsonSingleBytesTensor": (
        {"str_tensor_bytes": [[b"hello", b"world"], [b"tf", b"serving"]]},
        {
            "predictions": [
                [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}],
                [{"b64": "dGY="}, {"b64": "c2VydmluZw=="}],
            ]
        },
        {
            "outputs": [
                [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}],
                [{"b64": "dGY="}, {"b64": "c2VydmluZw=="}],
            ]
        },
    ),
    "FromJsonMultipleNamedTensors": (
        {
            "double_scalar_tensor": np.array([8.0, 9.0]),
            "float_tensor": np.array([[1.0], [2.0]], np.float32),
            "int_tensor": _INTS,
            "str_tensor": [[b"foo", b"bar"], [b"baz", b"bat"]],
        },
        {
            "predictions": [
                {
                    "double_scalar_tensor": 8.0,
                    "float_tensor": [1.0],
                    "int_tensor": [[1, 2], [3, 4], [5, 6]],
                    "str_tensor": ["foo", "bar"],
                },
                {
                    "double_scalar_tensor": 9.0,
                    "float_tensor": [2.0],
                    "int_tensor": [[7, 8], [9, 0], [1, 2]],
                    "str_tensor": ["baz", "bat"],
                },
            ]
        },
        {
            "outputs": {
                "double_scalar_tensor": [8.0, 9.0],
                "float_tensor": [[1.0], [2.0]],
                "int_tensor": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]],
                "str_tensor": [["foo", "bar"], ["baz", "bat"]],
            }
        },
    ),
    "FromJsonSingleZeroBatchTensor": (
        {"int_tensor": np.zeros((0, 2), np.int32)},
        {"predictions": []},
        {"outputs": []},
    ),
    "FromJsonMultipleZeroBatchTensors": (
        {"a": np.zeros((0, 1, 2), np.int32), "b": np.zeros((0, 3), np.float32)},
        {"predictions": []},
        {"outputs": {"a": [], "b": []}},
    ),
    "bools": ({"x": [True, False]}, {"predictions": [True, False]}, {"outputs": [True, False]}),
    "text": ({"x": ['é "\\\n'.encode()]}, {"predictions": ['é "\\\n']}, {"outputs": ['é "\\\n']}),
    "empty rows": ({"x": np.zeros((2, 0), np.float32)}, {"predictions": [[], []]}, {"outputs": [[], []]}),
}


@pytest.mark.parametrize("case", _ANSWERS)
def test_tensors_become_json(case):
    tensors, rows, columns = _ANSWERS[case]
    assert json.loads(answered("row", **tensors)) == rows
    assert json.loads(answered("column", **tensors)) == columns


def test_a_scalar_is_an_output_of_columns_only():
    assert json.loads(answered("column", x=np.float32(0.5))) == {"outputs": 0.5}
    with pytest.raises(RefusalError, match="Tensor name: x has no shape information "):
        answered("row", x=np.float32(0.5))


def test_unlike_numbers_of_rows_are_refused():
    # FromJsonMultipleNamedTensorsErrors
    with pytest.raises(RefusalError, match="Tensor name: b has inconsistent batch size: 1 expecting: 2"):
        answered("row", a=np.zeros((2, 3), np.int32), b=np.zeros((1, 3), np.int32))


@pytest.mark.parametrize(
    "array", [np.zeros(2, np.complex64), np.array([b"\xff"])], ids=["complex", "bytes that are no text"]
)
def test_what_json_cannot_express_is_refused(array):
    # FromJsonSingleTensorErrors
    with pytest.raises(RefusalError, match="Failed to write JSON value for tensor type: ") as caught:
        answered("row", x=array)
    assert caught.value.code.name == "INVALID_ARGUMENT"


def test_floats_are_written_as_tensorflow_serving_writes_them():
    # FromJsonSingleFloatTensorSixDigitPrecision, FromJsonSingleFloatTensorNonFinite; json_tensor.cc WriteDecimal
    values = [9000000, 999999, 0.5, 0.0003, 0.00003, 555557.5, 0.2, 1 / 3, -0.0, np.nan, np.inf, -np.inf]
    assert decimals(np.array(values, np.float32)) == [
        *["9e+06", "999999.0", "0.5", "0.0003", "3e-05", "555557.5", "0.2", "0.333333343", "-0.0"],
        *["NaN", "Infinity", "-Infinity"],
    ]
    assert decimals(np.array([0.1, 1 / 3])) == ["0.1", "0.33333333333333331"]


@settings(deadline=None)
@given(hnp.arrays(st.sampled_from([np.float32, np.float64]), hnp.array_shapes(max_dims=3, max_side=5)))
def test_every_float_is_read_back_the_same(array):
    back = np.array(json.loads(answered("column", x=array))["outputs"]).astype(array.dtype)
    np.testing.assert_array_equal(back.reshape(array.shape), array)
