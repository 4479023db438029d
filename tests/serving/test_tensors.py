"""TensorProtos are read and written as TensorFlow does, and hostile ones cost nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.tensors import TensorError, decode_tensor, encode_content, encode_tensor
from tidzam_platform.classifiers.backend import load_tensorflow

_LIMIT_BYTES = 1 << 20
_DTYPES = st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.bool_, np.float16, np.uint8])


@pytest.fixture(scope="module", autouse=True)
def tensor_proto():
    load_tensorflow()
    from tensorflow.core.framework import tensor_pb2

    return tensor_pb2.TensorProto


@given(hnp.arrays(_DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)))
def test_tensors_survive_the_wire_and_tensorflow_reads_them_alike(tensor_proto, array):
    import tensorflow as tf

    proto = tensor_proto()
    encode_tensor(array, proto)
    read = tensor_proto.FromString(proto.SerializeToString())
    for decoded in (decode_tensor(read, _LIMIT_BYTES), tf.make_ndarray(read)):
        assert decoded.dtype == array.dtype
        np.testing.assert_array_equal(decoded, array)


def test_floats_are_answered_in_float_val_as_tensorflow_serving_does(tensor_proto):
    proto = tensor_proto()
    encode_tensor(np.array([[0.5, 0.25]], np.float32), proto)
    assert list(proto.float_val) == [0.5, 0.25]
    assert not proto.tensor_content


def test_strings_survive(tensor_proto):
    proto = tensor_proto()
    encode_tensor(np.array([b"{}"], object), proto)
    assert decode_tensor(proto, _LIMIT_BYTES).item(0) == b"{}"


def test_audio_travels_as_raw_bytes(tensor_proto):
    audio = np.arange(6, dtype=np.float32).reshape(2, 3)
    proto = tensor_proto()
    encode_content(audio, proto)
    assert len(proto.tensor_content) == audio.nbytes
    np.testing.assert_array_equal(decode_tensor(proto, _LIMIT_BYTES), audio)


def test_missing_values_repeat_the_last_one(tensor_proto):
    proto = tensor_proto(dtype=1, float_val=[1.0, 2.0])
    proto.tensor_shape.dim.add(size=4)
    np.testing.assert_array_equal(decode_tensor(proto, _LIMIT_BYTES), np.array([1, 2, 2, 2], np.float32))


def _hostile(proto):
    yield "claims terabytes", proto(dtype=1, float_val=[0.0]), [1 << 40]
    yield "overflows 64 bits", proto(dtype=1, float_val=[0.0]), [1 << 62] * 200
    yield "has a negative dimension", proto(dtype=1, float_val=[0.0]), [-1]
    yield "has too many dimensions", proto(dtype=1, float_val=[0.0]), [1] * 100_000
    yield "has too few bytes", proto(dtype=1, tensor_content=b"\0" * 7), [2]
    yield "has too many bytes", proto(dtype=3, tensor_content=b"\0" * 12), [2]
    yield "has too many values", proto(dtype=1, float_val=[0.0] * 3), [2]
    yield "is of no type", proto(dtype=0, float_val=[0.0]), [1]
    yield "is a reference", proto(dtype=101, float_val=[0.0]), [1]
    yield "is a resource", proto(dtype=20), [1]


def test_hostile_tensors_are_refused(tensor_proto):
    for what, proto, sizes in _hostile(tensor_proto):
        for size in sizes:
            proto.tensor_shape.dim.add(size=size)
        with pytest.raises(TensorError):
            pytest.fail(f"a tensor that {what} became {decode_tensor(proto, _LIMIT_BYTES).shape}")


def test_a_tensor_of_unknown_rank_is_refused(tensor_proto):
    proto = tensor_proto(dtype=1, float_val=[1.0])
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(TensorError):
        decode_tensor(proto, _LIMIT_BYTES)


@given(st.integers(0, 140), st.lists(st.integers(-1, 3), max_size=3), st.binary(max_size=16))
def test_a_tensor_of_any_type_is_read_or_refused(tensor_proto, dtype, sizes, content):
    proto = tensor_proto(dtype=dtype, tensor_content=content)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    try:
        array = decode_tensor(proto, _LIMIT_BYTES)
    except TensorError:
        return
    assert list(array.shape) == sizes


@given(st.binary(max_size=200))
def test_no_bytes_at_all_raise_anything_but_tensor_error(tensor_proto, data):
    from google.protobuf.message import DecodeError

    try:
        proto = tensor_proto.FromString(data)
    except DecodeError:
        return
    try:
        array = decode_tensor(proto, _LIMIT_BYTES)
    except TensorError:
        return
    assert array.nbytes <= _LIMIT_BYTES
