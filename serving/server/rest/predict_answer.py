"""From the tensors of a PredictResponse to JSON: MakeJsonFromTensors of TensorFlow Serving's util/json_tensor.cc."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.server.refusals import RefusalError, invalid_argument
from serving.server.rest.predict_request import Format

_BYTES_SUFFIX = "_bytes"
_INDENT = "    "


def answer_text(outputs: Mapping[str, Any], form: Format) -> str:
    """The JSON of ``outputs``, TensorProtos by name: objects with sorted names if there are several.

    Raises:
        RefusalError: INVALID_ARGUMENT; in rows, tensors have no rows or not equally many, or a type has no JSON.
    """
    arrays = {name: _array(outputs[name]) for name in sorted(outputs)}
    if form == "row":
        return _rows_text(arrays)
    texts = {name: _nested(_tokens(name, array), array.shape)[0] for name, array in arrays.items()}
    text = next(iter(texts.values())) if len(texts) == 1 else _object_text(texts, _INDENT)
    return f'{{\n{_INDENT}"outputs": {text}\n}}'


def decimals(values: NDArray[Any]) -> list[str]:
    """Each float32 or float64 with six digits, or with as many as it takes to read it back the same (WriteDecimal)."""
    exact = {"float32": 9, "float64": 17}[values.dtype.name]
    flat = values.ravel()
    numbers = flat.astype(np.float64).tolist()
    texts = [f"{number:.6g}" for number in numbers]
    with np.errstate(over="ignore"):
        inexact = np.array([float(text) for text in texts]).astype(flat.dtype) != flat
    for position in np.flatnonzero(inexact & np.isfinite(flat)).tolist():
        texts[position] = f"{numbers[position]:.{exact}g}"
    for position in np.flatnonzero(~np.isfinite(flat)).tolist():
        number = numbers[position]
        texts[position] = "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return [text if _shows_decimal(text) else f"{text}.0" for text in texts]


def _shows_decimal(text: str) -> bool:
    return "." in text or "e" in text or "n" in text or "N" in text  # the last two: Infinity and NaN


def _rows_text(arrays: Mapping[str, NDArray[Any]]) -> str:
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        expected = next(iter(sizes.values()), len(array))
        if len(array) != expected:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {expected}"
            )
        sizes[name] = len(array)
    columns = {name: _nested(_tokens(name, array), array.shape, 1) for name, array in arrays.items()}
    if len(columns) == 1:
        (rows,) = columns.values()
        text = ", ".join(rows)
    else:
        inner = _INDENT * 2
        text = ",".join(
            f"\n{inner}{_object_text(dict(zip(columns, row, strict=True)), inner)}"
            for row in zip(*columns.values(), strict=True)
        )
    end = f"\n{_INDENT}]" if text else "]"
    return f'{{\n{_INDENT}"predictions": [{text}{end}\n}}'


def _object_text(members: Mapping[str, str], indent: str) -> str:
    lines = ",\n".join(
        f"{indent}{_INDENT}{json.dumps(name, ensure_ascii=False)}: {text}" for name, text in members.items()
    )
    return f"{{\n{lines}\n{indent}}}"


def _nested(tokens: Sequence[str], shape: Sequence[int], outer: int = 0) -> list[str]:
    """Join ``tokens`` to lists by ``shape``, all dimensions but the first ``outer``."""
    texts = list(tokens)
    for axis in reversed(range(outer, len(shape))):
        size, lists = shape[axis], math.prod(shape[:axis])
        texts = [f"[{', '.join(texts[start * size : (start + 1) * size])}]" for start in range(lists)]
    return texts


def _array(proto: Any) -> NDArray[Any]:
    import tensorflow as tf

    array: NDArray[Any] = tf.make_ndarray(proto)
    return array


def _tokens(name: str, array: NDArray[Any]) -> list[str]:
    if array.dtype.kind == "O":
        return [_string_token(name, text) for text in array.ravel().tolist()]
    if array.dtype.name in ("float32", "float64"):
        return decimals(array)
    if array.dtype.kind in "iu":
        return [str(number) for number in array.ravel().tolist()]
    if array.dtype.kind == "b":
        return ["true" if flag else "false" for flag in array.ravel().tolist()]
    raise _unwritable(array.dtype.name)


def _string_token(name: str, text: bytes) -> str:
    if name.endswith(_BYTES_SUFFIX):
        return json.dumps({"b64": base64.b64encode(text).decode()})
    try:
        return json.dumps(text.decode(), ensure_ascii=False)
    except UnicodeDecodeError as error:
        raise _unwritable("string") from error


def _unwritable(type_name: str) -> RefusalError:
    return invalid_argument(f"Failed to write JSON value for tensor type: {type_name}")
