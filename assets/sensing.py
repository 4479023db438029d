"""What sensors have in common: a home that is closed again, since they run in a process that stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from tidzam_platform.home import Home

_UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@contextmanager
def opened_home() -> Iterator[Home]:
    """The home, whose catalog is closed afterwards."""
    home = Home.open()
    try:
        yield home
    finally:
        home.catalog.close()


def is_under_way(instance: dg.DagsterInstance, job_name: str) -> bool:
    """Whether a run of that job waits or works."""
    return bool(instance.get_runs_count(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED)))
