"""What can pass by itself is tried again, with jitter; what cannot fails at once.

A ``RetryPolicy`` of Dagster's would try everything again, a wrong setting and Ctrl-C too.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg
from sqlalchemy.exc import OperationalError

from assets.instance import PROCESS_TAG
from tidzam_platform.errors import BusyError, StoreUnavailableError

MAX_RETRIES: Final = 3
_FIRST_DELAY_S: Final = 20.0  # twice as long each time
# A lock that another run holds; a store, a database or a disk that is away for a moment.
_PASSING: Final = (BusyError, StoreUnavailableError, OperationalError, sqlite3.OperationalError, OSError)


@contextmanager
def tried_again(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Iterator[None]:
    """Let Dagster run the body again after an error that may pass; a command's own run gives it to the command.

    The jitter keeps the runs of a backfill, which fail together, from coming back together.
    """
    try:
        yield
    except _PASSING as error:
        if PROCESS_TAG in context.run.tags:
            raise
        delay_s = random.uniform(0.5, 1.0) * _FIRST_DELAY_S * 2**context.retry_number  # noqa: S311 - jitter
        raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=delay_s) from error
