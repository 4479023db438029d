"""A request as it is repeated in the answer that refuses it, under ``request-origin``."""

from __future__ import annotations

import math
from typing import Any, Final

_DEPTH: Final = 10
_MAX_TEXT: Final = 2000
_MAX_ITEMS: Final = 100
_MORE: Final = "..."


def echo(value: Any, depth: int = _DEPTH) -> Any:
    """``value`` in JSON: bytes and numbers that JSON cannot say as text; what is deep or long is cut."""
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + _MORE
    if isinstance(value, (dict, list, tuple)) and depth == 0:
        return _MORE
    if isinstance(value, dict):
        items = list(value.items())[:_MAX_ITEMS]
        return {str(key)[:_MAX_TEXT]: echo(item, depth - 1) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [echo(item, depth - 1) for item in value[:_MAX_ITEMS]]
    return value
