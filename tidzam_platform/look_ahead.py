"""Work in a few threads, a little ahead of who uses it: results in order, memory and Ctrl-C's wait bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def futures_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int | None = None
) -> Generator[tuple[Item, Future[Result]]]:
    """Each item with its ``work``, in the order of the items; at most ``ahead`` of them are under way.

    When the generator ends, fails or is closed (``contextlib.closing``), what was begun is awaited and nothing new
    is begun: an interrupt waits for as many items as there are threads, not for all that are left.

    Args:
        work: called in the threads.
        items: taken one by one, as they are needed.
        threads: how many work at once.
        ahead: begun or waiting for a thread; twice ``threads`` by default.
    """
    ahead = ahead or 2 * threads
    with ThreadPoolExecutor(threads, thread_name_prefix="look-ahead") as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) >= ahead:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def map_ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int | None = None
) -> Generator[Result]:
    """Results of ``futures_ahead``; the first error of ``work`` comes out, and ends it."""
    futures = futures_ahead(work, items, threads=threads, ahead=ahead)
    try:
        for _, future in futures:
            yield future.result()
    finally:
        futures.close()
