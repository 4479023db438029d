"""Which JSON values may stand in a tensor of which type: AddValueToTensor of TensorFlow Serving's util/json_tensor.cc.

Stricter than it for int16, int8 and uint8, whose range it does not look at.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.server.refusals import RefusalError, invalid_argument, unimplemented
from serving.server.rest.json_text import JsonValue
from serving.server.rest.json_words import type_word, value_text

_BASE64_KEY: Final = "b64"


@dataclass(frozen=True)
class ElementType:
    """A type of TensorFlow that JSON can express; ``dtype`` is None for strings.

    ``name`` is TensorFlow's word for it.
    """

    name: str
    dtype: Any

    def of_numbers(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The numbers of a long list (see read_numbers) in this type.

        Raises:
            RefusalError: one is of another type or out of range.
        """
        if not (self._is_decimal or (numbers.dtype == np.int64 and self._holds(numbers))):
            for number in numbers.tolist():
                self._element(number)  # says what is wrong with the first that does not fit
        with np.errstate(over="ignore"):  # TensorFlow Serving makes infinities of them too
            return numbers.astype(self.dtype)

    def of_values(self, values: list[JsonValue]) -> NDArray[Any] | list[bytes]:
        """Values as elements, bytes if this is the type of strings; RefusalError as in ``of_numbers``."""
        elements = [self._element(value) for value in values]
        if self.dtype is None:
            return elements
        with np.errstate(over="ignore"):
            return np.array(elements, self.dtype)

    def _element(self, value: JsonValue) -> Any:
        if self.dtype is None:
            return _string(value, self)
        if self.dtype is np.bool_:
            fits = isinstance(value, bool)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            fits = False
        elif self._is_decimal:
            fits = True
        else:
            bounds = np.iinfo(self.dtype)
            fits = isinstance(value, int) and int(bounds.min) <= value <= int(bounds.max)
        if not fits:
            raise _wrong_type(value, self)
        return value

    @property
    def _is_decimal(self) -> bool:
        return self.dtype in (np.float32, np.float64)

    def _holds(self, numbers: NDArray[Any]) -> bool:
        if self.dtype in (None, np.bool_):
            return False
        bounds = np.iinfo(self.dtype)
        return bool(int(numbers.min()) >= int(bounds.min) and int(numbers.max()) <= int(bounds.max))


# By number in tensorflow/core/framework/types.proto; the page's table "JSON mapping" lists the same.
_TYPES: Final[Mapping[int, ElementType]] = {
    1: ElementType("float", np.float32),
    2: ElementType("double", np.float64),
    3: ElementType("int32", np.int32),
    4: ElementType("uint8", np.uint8),
    5: ElementType("int16", np.int16),
    6: ElementType("int8", np.int8),
    7: ElementType("string", None),
    9: ElementType("int64", np.int64),
    10: ElementType("bool", np.bool_),
    22: ElementType("uint32", np.uint32),
    23: ElementType("uint64", np.uint64),
}


def element_type(enum: int, value: JsonValue) -> ElementType:
    """The type of that number; ``value`` is what the message shows if there is none that JSON can express."""
    if enum in _TYPES:
        return _TYPES[enum]
    from tensorflow.core.framework import types_pb2

    name = types_pb2.DataType.Name(enum) if enum in types_pb2.DataType.values() else f"type {enum}"
    raise unimplemented(
        f"Conversion of JSON Value: {value_text(value)} to type: {name.removeprefix('DT_').lower()}"
    )


def is_base64(value: JsonValue) -> bool:
    """Whether it is an object that stands for bytes: ``{"b64": "..."}`` and nothing else in it."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_BASE64_KEY), str)


def _string(value: JsonValue, wanted: ElementType) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict):
        raise _wrong_type(value, wanted)
    if not is_base64(value):
        raise invalid_argument(f"JSON Value: {value_text(value)} not formatted correctly for base64 data")
    with contextlib.suppress(binascii.Error, ValueError):
        text = "".join(value[_BASE64_KEY].split()).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    raise invalid_argument("Unable to base64 decode")


def _wrong_type(value: JsonValue, wanted: ElementType) -> RefusalError:
    return invalid_argument(
        f"JSON Value: {value_text(value)} Type: {type_word(value)} is not of expected type: {wanted.name}"
    )
