"""How error messages show a JSON value: TensorFlow Serving's JsonTypeString and JsonValueToString, shortened."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from serving.server.rest.json_text import JsonValue

_MAX_SHOWN: Final = 200


def type_word(value: JsonValue) -> str:
    """RapidJSON's name of the value's type, e.g. ``Number``."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return "Number"
    if isinstance(value, str):
        return "String"
    return "Object" if isinstance(value, dict) else "Array"


def value_text(value: JsonValue) -> str:
    """The value as JSON, at most 200 characters of it; no more is encoded than is shown."""
    shown = ""
    for piece in json.JSONEncoder(indent=4, ensure_ascii=False, default=_first_numbers).iterencode(value):
        shown += piece[:_MAX_SHOWN]
        if len(shown) > _MAX_SHOWN:
            return shown[: _MAX_SHOWN - 3] + "..."
    return shown


def _first_numbers(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return value[:_MAX_SHOWN].tolist()
