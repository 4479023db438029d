"""How long to wait before a process that is away is asked again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

_FIRST_S: Final = 0.2
_LONGEST_S: Final = 5.0


def retry_waits_s() -> Iterator[float]:
    """Waits without end, seconds: each drawn from a range that doubles up to its longest."""
    longest_now_s = _FIRST_S
    while True:
        yield random.uniform(_FIRST_S / 2, longest_now_s)  # noqa: S311 - so that not all come back at once
        longest_now_s = min(_LONGEST_S, 2 * longest_now_s)
