"""Sending requests: inside a deadline, in bounded number, past a breaker, again after UNAVAILABLE."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import grpc

from serving.client.circuit_breaker import BreakerState, CircuitOpenError
from serving.client.counts import Counts
from serving.client.deadlines import Deadline
from serving.client.lanes import Lane
from serving.client.refusals import code_of, error_of, is_queue_full
from serving.client.retries import RetryPolicy
from tidzam_platform.errors import (
    ModelServerBusyError,
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)

_SILENCE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_COUNTERS: Final = {
    grpc.StatusCode.UNAVAILABLE: "unavailable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline_exceeded",
}


class Calls:
    """Sends the requests of one client; safe to use from many threads.

    Args:
        address: of the server, for messages.
        counts: where every request is counted.
    """

    def __init__(self, address: str, counts: Counts) -> None:
        self._address = address
        self._counts = counts
        self._closed = threading.Event()

    def close(self) -> None:
        """Wake who waits to try again; later requests are refused."""
        self._closed.set()

    def send(self, method: Any, request: Any, deadline: Deadline, lane: Lane, retry: RetryPolicy) -> Any:
        """The server's response.

        Args:
            method: of a gRPC stub.
            request: its proto.
            deadline: for everything: places, waits and all attempts.
            lane: whose places and breaker count.
            retry: how often, after UNAVAILABLE.

        Raises:
            ModelServerUnavailableError: no server answers, or the lane's breaker is open.
            ModelServerDeadlineError: it did not answer in time.
            ModelServerBusyError: no place in flight came free in time.
            ModelServerError: it refused.
        """
        return self._again_when_unavailable(
            lambda: self._send_once(method, request, deadline, lane), deadline, retry, lane
        )

    def send_aside(self, method: Any, request: Any, deadline: Deadline, retry: RetryPolicy) -> Any:
        """As ``send``, for small questions about the server itself: no breaker stops them, none hears of them."""
        return self._again_when_unavailable(
            lambda: self._invoke(method, request, deadline), deadline, retry, None
        )

    def _again_when_unavailable(
        self, once: Callable[[], Any], deadline: Deadline, retry: RetryPolicy, lane: Lane | None
    ) -> Any:
        last: ModelServerUnavailableError | None = None
        no_room: ModelServerBusyError | None = None
        attempt = 0
        while True:
            attempt += 1
            try:
                return once()
            except CircuitOpenError as refusal:
                self._counts.add("breaker_refused")
                if last is None:
                    raise self._open_error(refusal) from refusal
                last.retry_after_s = refusal.retry_after_s
                raise last from last.__cause__
            except ModelServerUnavailableError as error:
                if lane is not None and lane.breaker.state is not BreakerState.CLOSED:
                    error.retry_after_s = lane.breaker.retry_after_s
                    raise
                last = error
                if attempt >= retry.max_attempts or not self._wait(retry.delay_s(attempt), deadline):
                    raise
            except ModelServerBusyError as error:
                no_room = error
                may_wait = retry.waits_for_room and is_queue_full(error)
                if not may_wait or not self._wait(retry.delay_s(attempt), deadline):
                    raise
            except ModelServerDeadlineError as error:
                if no_room is None:
                    raise
                raise no_room from error  # the last attempt ran out of what the waiting had left
            self._counts.add("retries")

    def _wait(self, delay_s: float, deadline: Deadline) -> bool:
        """Wait before the next attempt; False if there is no time for it, or no client any more."""
        return delay_s < deadline.left_s and not self._closed.wait(delay_s)

    def _send_once(self, method: Any, request: Any, deadline: Deadline, lane: Lane) -> Any:
        lane.breaker.require_closed()  # do not queue for a server that is left alone
        with lane.place(deadline) as has_place:
            if not has_place:
                self._counts.add("busy")
                raise ModelServerBusyError(
                    f"requests to the model server at {self._address} waited {deadline.seconds:g} s behind "
                    f"{lane.in_flight} others that are under way: send fewer at once, or let more be in flight"
                )
            permit = lane.breaker.enter()
            try:
                response = self._invoke(method, request, deadline)
            except ModelServerError as error:
                code = code_of(error)
                if code in _SILENCE and not is_queue_full(error):
                    lane.breaker.failed(permit)
                elif code is None or code is grpc.StatusCode.CANCELLED:  # by us
                    lane.breaker.abandoned(permit)
                else:
                    lane.breaker.answered(permit)
                raise
            except BaseException:  # Ctrl-C, say: the probe's place must not stay taken
                lane.breaker.abandoned(permit)
                raise
            lane.breaker.answered(permit)
            return response

    def _invoke(self, method: Any, request: Any, deadline: Deadline) -> Any:
        timeout_s = deadline.left_s
        if timeout_s <= 0:
            raise ModelServerDeadlineError(
                f"{deadline.seconds:g} s passed before the request to the model server at {self._address} could be sent"
            )
        if self._closed.is_set():
            raise self._closed_error()
        self._counts.add("requests")
        try:
            response = method(request, timeout=timeout_s)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.CANCELLED and self._closed.is_set():
                raise self._closed_error() from error
            ours = error_of(error, self._address, deadline)
            busy = isinstance(ours, ModelServerBusyError)
            self._counts.add("queue_full" if busy else _COUNTERS.get(error.code(), "refused"))
            raise ours from error
        except ValueError as error:  # gRPC's word for a channel that was closed meanwhile
            if not self._closed.is_set():
                raise
            raise self._closed_error() from error
        self._counts.add("answers")
        return response

    def _closed_error(self) -> ModelServerError:
        return ModelServerError(
            f"this client of the model server at {self._address} is closed: make a new one"
        )

    def _open_error(self, refusal: CircuitOpenError) -> ModelServerUnavailableError:
        return ModelServerUnavailableError(
            f"the model server at {self._address} did not answer {refusal.failures} times in a row and is asked again "
            f"in {refusal.retry_after_s:.1f} s; see whether it runs, or start it with ./tidzam serve",
            retry_after_s=refusal.retry_after_s,
        )
