"""From the JSON of a predict request to the inputs of a PredictRequest: FillPredictRequestFromJson of json_tensor.cc.

Words, and the order in which faults are found, are TensorFlow Serving's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from serving.server.refusals import RefusalError, invalid_argument
from serving.server.rest.element_types import element_type, is_base64
from serving.server.rest.json_text import JsonValue
from serving.server.rest.json_words import value_text
from serving.server.rest.tensor_values import Shape, TensorValues, shape_text

#: ``row`` for "instances" and "predictions", ``column`` for "inputs" and "outputs".
Format = Literal["row", "column"]
Json = dict[str, JsonValue]


def signature_name(document: JsonValue) -> str:
    """The signature that a request names, empty for the default one.

    Raises:
        RefusalError: the document is no object, or the name no string.
    """
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {value_text(document)} Is not object")
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {value_text(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def fill_inputs(document: Json, wanted: Mapping[str, Any], inputs: Any) -> Format:
    """Write the tensors of ``document`` into ``inputs``; returns the format in which the answer is due.

    Args:
        document: the request.
        wanted: TensorInfo of each input of the signature, by name; one at least.
        inputs: the map of TensorProto to fill.

    Raises:
        RefusalError: the document does not fit the signature.
    """
    if "instances" in document and "inputs" in document:
        raise _format_error(
            document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, (list, np.ndarray)):
            raise _format_error(document, "Expecting 'instances' to be an list/array")
        if len(instances) == 0:
            raise _format_error(document, "No values in 'instances' array")
        _fill_rows(instances, wanted, inputs)
        return "row"
    if "inputs" in document:
        _fill_columns(document["inputs"], wanted, inputs)
        return "column"
    raise invalid_argument("Missing 'inputs' or 'instances' key")


class _Column:
    """One input of a request in rows: the same shape in each row."""

    def __init__(self, info: Any, first: JsonValue) -> None:
        self._enum = info.dtype
        self._values = TensorValues(element_type(info.dtype, first))
        self._shape: Shape | None = None

    def add(self, value: JsonValue) -> None:
        shape = self._values.add(value)
        if self._shape is None:
            self._shape = shape
        elif np.prod(shape) != np.prod(self._shape):
            raise invalid_argument(
                f"Expecting tensor size: {np.prod(self._shape, dtype=int)} but got: {np.prod(shape, dtype=int)}"
            )
        elif shape != self._shape:
            raise invalid_argument(f"Expecting shape {shape_text(self._shape)} but got: {shape_text(shape)}")

    def write(self, rows: int, into: Any) -> None:
        self._values.write((rows, *(self._shape or ())), self._enum, into)


def _fill_rows(instances: Any, wanted: Mapping[str, Any], inputs: Any) -> None:
    if isinstance(instances, np.ndarray):
        _fill_row_of_scalars(instances, wanted, inputs)
        return
    if not isinstance(instances[0], dict) and len(wanted) > 1:
        raise _needs_objects()
    by_name = _is_object(instances[0])
    columns: dict[str, _Column] = {}
    for position, row in enumerate(instances):
        if _is_object(row) != by_name:
            problem = "object but got list" if by_name else "value/list but got object"
            raise invalid_argument(f"Expecting {problem} at item {position} of input list")
        for name, value in row.items() if by_name else [(next(iter(wanted)), row)]:
            key = f" key: {name}" if by_name else ""
            try:
                if name not in wanted:
                    raise invalid_argument(f"JSON object: does not have named input: {name}")
                if name not in columns:
                    columns[name] = _Column(wanted[name], value)
                columns[name].add(value)
            except RefusalError as error:
                raise invalid_argument(
                    f"Failed to process element: {position}{key} of 'instances' list. "
                    f"Error: {error.code.name}: {error.message}"
                ) from error
        if by_name and row.keys() != wanted.keys():
            raise invalid_argument(
                f"Failed to process element: {position} of 'instances' list. JSON object: {value_text(row)} "
                f"keys must be equal to: {','.join(sorted(wanted))}"
            )
    for name, column in columns.items():
        column.write(len(instances), inputs[name])


def _fill_row_of_scalars(instances: Any, wanted: Mapping[str, Any], inputs: Any) -> None:
    if len(wanted) > 1:
        raise _needs_objects()
    ((name, info),) = wanted.items()
    values = TensorValues(element_type(info.dtype, instances[0].item()))
    values.write(values.add(instances), info.dtype, inputs[name])


def _fill_columns(value: JsonValue, wanted: Mapping[str, Any], inputs: Any) -> None:
    if _is_object(value):
        columns: Json = value
    elif len(wanted) > 1:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple "
            "input tensors required as per tensorinfo_map"
        )
    else:
        columns = {next(iter(wanted)): value}
    for name in sorted(wanted):
        if name not in columns:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        enum = wanted[name].dtype
        values = TensorValues(element_type(enum, columns[name]))
        values.write(values.add(columns[name]), enum, inputs[name])


def _is_object(value: JsonValue) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _needs_objects() -> RefusalError:
    return invalid_argument(
        "instances is a plain list, but expecting list of objects as multiple "
        "input tensors required as per tensorinfo_map"
    )


def _format_error(document: Json, problem: str) -> RefusalError:
    return invalid_argument(f"JSON Value: {value_text(document)} {problem}")
