"""From nested JSON lists to a TensorProto: GetDenseTensorShape and FillTensorProto of util/json_tensor.cc."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from serving.server.refusals import RefusalError, invalid_argument
from serving.server.rest.element_types import ElementType
from serving.server.rest.json_text import JsonValue
from serving.server.rest.json_words import value_text

_MAX_RANK: Final = 254  # TensorShape::MaxDimensions

Shape = tuple[int, ...]


class TensorValues:
    """The elements of one tensor, from one or several JSON values of the same shape."""

    def __init__(self, kind: ElementType) -> None:
        self._kind = kind
        self._parts: list[Any] = []  # in the order of the elements: arrays, or lists of bytes

    def add(self, value: JsonValue) -> Shape:
        """Append the elements of ``value``, lists in lists to any depth or a scalar; returns its shape.

        Raises:
            RefusalError: INVALID_ARGUMENT; it is ragged, or an element is of another type.
        """
        shape = _claimed_shape(value)
        self._fill(value, 0, shape)
        return shape

    def write(self, shape: Shape, enum: int, into: Any) -> None:
        """Write what was added into the TensorProto ``into``; ``shape`` has as many elements as were."""
        into.dtype = enum
        for size in shape:
            into.tensor_shape.dim.add(size=size)
        if self._kind.dtype is None:
            for part in self._parts:
                into.string_val.extend(part)
        elif self._parts:
            little_endian = np.dtype(self._kind.dtype).newbyteorder("<")
            whole = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)
            into.tensor_content = whole.astype(little_endian, copy=False).tobytes()

    def _fill(self, value: JsonValue, level: int, shape: Shape) -> None:
        if not isinstance(value, (list, np.ndarray)):
            _check_level(value, level, shape)
            self._parts.append(self._kind.of_values([value]))
            return
        if level >= len(shape):
            raise _too_deep(level, shape)
        if len(value) != shape[level]:
            raise invalid_argument(
                f"Encountered list at unexpected size: {len(value)} at level: {level} "
                f"expected size: {shape[level]}"
            )
        if isinstance(value, np.ndarray):
            _check_level(value[0].item(), level + 1, shape)
            self._parts.append(self._kind.of_numbers(value))
        elif level + 1 < len(shape):
            for item in value:
                self._fill(item, level + 1, shape)
        elif any(isinstance(item, (list, np.ndarray)) for item in value):
            raise _too_deep(level + 1, shape)
        else:
            self._parts.append(self._kind.of_values(value))


def shape_text(shape: Shape) -> str:
    """``[2,3]``, as TensorFlow Serving's messages have it."""
    return f"[{','.join(map(str, shape))}]"


def _claimed_shape(value: JsonValue) -> Shape:
    """The shape that the first elements of all levels say; whether the others agree is seen later."""
    shape: list[int] = []
    while isinstance(value, (list, np.ndarray)):
        shape.append(len(value))
        if isinstance(value, np.ndarray) or not value:
            break
        value = value[0]
    if len(shape) > _MAX_RANK:
        raise invalid_argument(f"a tensor has at most {_MAX_RANK} dimensions")
    return tuple(shape)


def _check_level(value: JsonValue, level: int, shape: Shape) -> None:
    if level != len(shape):
        raise invalid_argument(
            f"JSON Value: {value_text(value)} found at incorrect level: {level + 1} in the JSON DOM. "
            f"Expected at level: {len(shape)}"
        )


def _too_deep(level: int, shape: Shape) -> RefusalError:
    return invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
