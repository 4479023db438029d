"""Requests that are refused: an exception on our side, a canonical status code on the wire."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, Final

import grpc

_LOG = logging.getLogger(__name__)
# A message may quote what the client sent, and travels in HTTP/2 trailers, which clients cap at 8 KiB.
_MAX_MESSAGE_LENGTH: Final = 1000


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


def answering(handler: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Make a gRPC handler of ``handler``, which takes a request and answers it or raises RefusalError.

    What else it raises is a fault of ours: logged with its trace, told as INTERNAL.
    """

    @functools.wraps(handler)
    def answer(request: Any, context: Any) -> Any:
        try:
            return handler(request)
        except RefusalError as error:
            refusal = error
        except Exception:  # noqa: BLE001 - logged, and told to the client as INTERNAL
            _LOG.exception("a request failed")
            refusal = RefusalError(
                grpc.StatusCode.INTERNAL, "the server failed on this request; its log says why"
            )
        return context.abort(refusal.code, refusal.message[:_MAX_MESSAGE_LENGTH])  # raises

    return answer
