"""From handlers that raise refusals to methods of a gRPC service, each answer counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import grpc

from serving.server.metrics import Metrics
from serving.server.refusals import RefusalError

_LOG = logging.getLogger(__name__)
# A message may quote what the client sent, and travels in HTTP/2 trailers, which clients cap at 8 KiB; a byte that is
# no printable ASCII takes three there (percent-encoding, gRPC over HTTP/2).
_MAX_MESSAGE_BYTES: Final = 1000

Handler = Callable[[Any, Any], Any]


class Answering:
    """Makes gRPC methods whose answers ``metrics`` counts."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def answers(self, api: str, handler: Handler) -> Handler:
        """A method of ``handler(request, context)``, which answers or raises RefusalError.

        What else it raises is a fault of ours: logged with its trace, told as INTERNAL.
        """

        def answer(request: Any, context: Any) -> Any:
            began_s = time.monotonic()
            try:
                response = handler(request, context)
            except RefusalError as error:
                refusal = error
            except Exception:  # noqa: BLE001 - logged, and told to the client as INTERNAL
                _LOG.exception("a request failed")
                refusal = RefusalError(
                    grpc.StatusCode.INTERNAL, "the server failed on this request; its log says why"
                )
            else:
                self._metrics.request(api, "GRPC", "OK", time.monotonic() - began_s)
                return response
            self._metrics.request(api, "GRPC", refusal.code.name, time.monotonic() - began_s)
            return context.abort(refusal.code, _shortened(refusal.message))  # raises

        return answer


def _shortened(message: str) -> str:
    return message.encode(errors="replace")[:_MAX_MESSAGE_BYTES].decode(errors="ignore")
