"""HTTP codes of canonical codes (ToHTTPStatusCode of TensorFlow Serving's model_servers/http_server.cc) and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import grpc

JSON_TYPE: Final = "application/json"
# A message may quote what the client sent.
_MAX_MESSAGE_LENGTH: Final = 1000

HTTP_CODES: Final[Mapping[grpc.StatusCode, int]] = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}


def error_text(message: str) -> str:
    """The JSON that every refusal has as its body (MakeJsonFromStatus)."""
    return json.dumps({"error": message[:_MAX_MESSAGE_LENGTH]}, indent=4, ensure_ascii=False)
