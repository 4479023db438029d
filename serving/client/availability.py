"""What a server says of its versions, and waiting until one is in service."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from serving.client.calls import Calls
from serving.client.deadlines import Deadline
from serving.client.messages import read_statuses, status_request
from serving.client.refusals import is_not_found
from serving.client.retries import ONCE, RetryPolicy
from tidzam_platform.errors import (
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)

_STATUS_INTERVAL_S: Final = 0.2


class Availability:
    """Asks for statuses; safe to use from many threads.

    Args:
        get_model_status: the method GetModelStatus of a stub.
        calls: sends the requests.
        address: of the server, for messages.
    """

    def __init__(self, get_model_status: Any, calls: Calls, address: str) -> None:
        self._get_model_status, self._calls, self._address = get_model_status, calls, address

    def statuses(self, deadline_s: float, retry: RetryPolicy) -> dict[int, tuple[str, str]]:
        """State and error by version; empty while the server knows no version."""
        try:
            response = self._calls.send_aside(
                self._get_model_status, status_request(), Deadline(deadline_s), retry
            )
        except ModelServerError as error:
            if is_not_found(error):
                return {}
            raise
        return read_statuses(response)

    def wait(
        self, version: int | None, timeout_s: float, deadline_s: float, on_available: Callable[[], None]
    ) -> int:
        """Wait until ``version`` (None: any version) is AVAILABLE, tell ``on_available`` and return it.

        Raises:
            ModelServerDeadlineError: it is not within ``timeout_s``.
            ModelServerError: the server could not load it.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            left_s = end_s - time.monotonic()
            try:
                statuses = self.statuses(max(_STATUS_INTERVAL_S, min(left_s, deadline_s)), ONCE)
                available = [number for number, (state, _) in statuses.items() if state == "AVAILABLE"]
                if version in available or (version is None and available):
                    on_available()
                    return max(available) if version is None else version
                state, error = statuses.get(version or 0, ("unknown to it", ""))
                if error:
                    raise ModelServerError(
                        f"the model server at {self._address} cannot serve {version}: {error}"
                    )
                heard = "it serves no version yet" if version is None else f"version {version} is {state}"
            except (ModelServerUnavailableError, ModelServerDeadlineError) as error:
                heard = str(error)
            if left_s <= _STATUS_INTERVAL_S:
                raise ModelServerDeadlineError(
                    f"the model server at {self._address} was not ready within {timeout_s:g} s: {heard}"
                )
            time.sleep(_STATUS_INTERVAL_S)
