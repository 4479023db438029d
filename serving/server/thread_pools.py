"""Small requests do not queue behind predictions: a server that is busy is not one that is dead."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

LIGHT_WORKERS: Final = 2


def in_pool(handler: Callable[[Any, Any], Any], pool: ThreadPoolExecutor) -> Callable[[Any, Any], Any]:
    """``handler``, run by ``pool`` instead of the server's own workers.

    gRPC reads the pool from the handler's attribute; its own health service does it the same way.
    """

    def handle(request: Any, context: Any) -> Any:
        return handler(request, context)

    handle.experimental_thread_pool = pool  # type: ignore[attr-defined]
    return handle
