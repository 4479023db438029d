"""TensorProto to NumPy and back, the way TensorFlow Serving reads and writes it.

A proto from outside is checked before anything of the size that it claims is allocated: a few bytes may claim
a tensor of terabytes, since missing values repeat the last one (tensorflow/core/framework/tensor.proto).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAX_RANK: Final = 254  # TensorShape::MaxDimensions

# Fields of TensorProto by NumPy's kind and size, for the types that models answer with.
_VALUE_FIELDS: Final = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "int64": "int64_val",
    "bool": "bool_val",
}


class TensorError(ValueError):
    """A TensorProto contradicts itself or is too large."""


def decode_tensor(proto: Any, max_bytes: int) -> NDArray[Any]:
    """The array that ``proto`` (a TensorProto) holds; it may be read-only.

    Args:
        proto: the tensor, its values in ``tensor_content`` or in the field of its type.
        max_bytes: the largest array that may be made of it.

    Raises:
        TensorError: unknown type, negative or unknown dimensions, another number of values than the shape
            says, or more than ``max_bytes``.
    """
    import tensorflow as tf

    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
    except TypeError as error:
        raise TensorError(f"unknown type {proto.dtype}") from error
    if not dtype.is_numpy_compatible:
        raise TensorError(f"type {dtype.name} holds no values")
    shape = _shape(proto.tensor_shape)
    if math.prod(shape) * dtype.size > max_bytes:
        raise TensorError(f"a tensor of shape {list(shape)} takes more than {max_bytes} bytes")
    content = proto.tensor_content
    if content and dtype == tf.float32:  # audio: make_ndarray would copy it
        if len(content) != math.prod(shape) * dtype.size:
            raise TensorError(f"{len(content)} bytes are no float32 of shape {list(shape)}")
        return np.frombuffer(content, dtype="<f4").reshape(shape)
    try:
        array: NDArray[Any] = tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise TensorError(f"the values do not fill the shape {list(shape)}: {error}") from error
    return array


def _shape(proto: Any) -> tuple[int, ...]:
    if proto.unknown_rank or len(proto.dim) > _MAX_RANK:
        raise TensorError(f"a tensor has at most {_MAX_RANK} dimensions, all known")
    shape = tuple(int(dimension.size) for dimension in proto.dim)
    if any(size < 0 for size in shape):
        raise TensorError(f"shape {list(shape)} has a negative dimension")
    return shape


def encode_tensor(array: NDArray[Any], into: Any) -> None:
    """Write ``array`` into the TensorProto ``into``, values in the field of their type.

    TensorFlow Serving answers this way by default (``AsProtoField``), and clients in the field read
    ``float_val``.
    """
    import tensorflow as tf

    field = _VALUE_FIELDS.get(array.dtype.name)
    if field is None:
        into.CopyFrom(tf.make_tensor_proto(array))
        return
    into.dtype = tf.dtypes.as_dtype(array.dtype).as_datatype_enum
    for size in array.shape:
        into.tensor_shape.dim.add(size=size)
    getattr(into, field).extend(array.ravel().tolist())


def encode_content(array: NDArray[np.float32], into: Any) -> None:
    """Write float32 ``array`` into the TensorProto ``into`` as raw bytes: the fast way for requests."""
    import tensorflow as tf

    into.dtype = tf.float32.as_datatype_enum
    for size in array.shape:
        into.tensor_shape.dim.add(size=size)
    into.tensor_content = array.astype("<f4", copy=False).tobytes()
