"""Requests that are refused: an exception on our side, a canonical status code on the wire."""

from __future__ import annotations

from typing import Any

import grpc


class RefusalError(Exception):
    """A request ends with this status; the message goes to the client."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_argument(message: str) -> RefusalError:
    """The request itself is wrong and will be wrong the next time."""
    return RefusalError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> RefusalError:
    """No such model or version."""
    return RefusalError(grpc.StatusCode.NOT_FOUND, message)


def unimplemented(message: str) -> RefusalError:
    """This server does not do that at all."""
    return RefusalError(grpc.StatusCode.UNIMPLEMENTED, message)


def from_tensorflow(error: Any) -> RefusalError:
    """A failed run (tf.errors.OpError): TensorFlow's codes are the canonical ones, number by number."""
    for code in grpc.StatusCode:
        if code.value[0] == error.error_code:
            return RefusalError(code, error.message)
    return RefusalError(grpc.StatusCode.UNKNOWN, error.message)
