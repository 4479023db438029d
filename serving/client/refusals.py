"""What a failed request means for the caller: gRPC's status codes as errors of ours, and back."""

from __future__ import annotations

from typing import Any, Final

import grpc

from serving.client.deadlines import Deadline
from tidzam_platform.errors import (
    ModelServerBusyError,
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)

# TensorFlow's words, core/kernels/batching_util/shared_batch_scheduler.h: a server that is there and has much to do.
_TOO_MANY_CALLS: Final = "Concurrent RPC limit exceeded"  # gRPC's own words
_QUEUE_FULL: Final = "The batch scheduling queue to which this task was submitted is full"
# TensorFlow Serving's words, model_servers/server_core.cc: no such label, or labels switched off.
_NO_SUCH_LABEL: Final = ("Unrecognized servable version label", "ModelSpec has 'version_label' set")
# Its words where no version of the model is in service, model_servers/server_core.cc again.
_NO_VERSION: Final = "Servable not found for request: Latest("


def error_of(error: Any, address: str, deadline: Deadline) -> ModelServerError:
    """Our error for a ``grpc.RpcError``; raise it from that, the functions below look there."""
    code, details = error.code(), error.details()
    if _is_queue_full(error):
        return ModelServerBusyError(
            f"the model server at {address} has more to do than its queue holds ({details}); send fewer windows at "
            "once, or raise model_server.batching.max_enqueued_batches"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return ModelServerUnavailableError(
            f"no model server answers at {address} ({details}); start one with ./tidzam serve"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ModelServerDeadlineError(
            f"the model server at {address} did not answer within {deadline.seconds:g} s; if it is only slow, "
            "send smaller batches or raise model_server.deadline_s"
        )
    if code is grpc.StatusCode.NOT_FOUND and str(details).startswith(_NO_VERSION):
        return ModelServerError(
            f"the model server at {address} has no generation to answer with: make one with ./tidzam generation run; "
            "one that is published already is loaded within a minute"
        )
    return ModelServerError(f"the model server at {address} refused: {code.name}: {details}")


def is_queue_full(error: ModelServerError) -> bool:
    """Whether the server is there, and had no room for the request (UNAVAILABLE like one that is not there)."""
    return isinstance(error.__cause__, grpc.RpcError) and _is_queue_full(error.__cause__)


def is_not_found(error: ModelServerError) -> bool:
    """Whether the server has not loaded what was asked for."""
    return code_of(error) is grpc.StatusCode.NOT_FOUND


def is_unknown_label(error: ModelServerError) -> bool:
    """Whether the server does not know the label that was asked for."""
    cause: Any = error.__cause__
    return code_of(error) is grpc.StatusCode.INVALID_ARGUMENT and str(cause.details()).startswith(
        _NO_SUCH_LABEL
    )


def code_of(error: ModelServerError) -> grpc.StatusCode | None:
    """The status that the request ended with; None if it was not the request that failed."""
    cause: Any = error.__cause__
    return cause.code() if isinstance(cause, grpc.RpcError) else None


def _is_queue_full(error: Any) -> bool:
    code, words = error.code(), str(error.details())
    return (code is grpc.StatusCode.UNAVAILABLE and words.startswith(_QUEUE_FULL)) or (
        code is grpc.StatusCode.RESOURCE_EXHAUSTED and words.startswith(_TOO_MANY_CALLS)
    )
