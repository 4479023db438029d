"""What assets have in common: which runs wait for each other, and how backfills are cut."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

TRAINING_POOL: Final = "gpu"  # of what trains and scores whole classifiers
REPROCESSING_POOL: Final = "reprocessing"  # of what hears days of the archive again
INDEX_POOL: Final = "index"  # of what reads the archive folder
POOLS: Final = (TRAINING_POOL, REPROCESSING_POOL, INDEX_POOL)


def asset_by_partition(**options: Any) -> Callable[..., Any]:
    """``dg.asset`` for one with partitions: a backfill makes a run of each.

    So what was made is told partition by partition, with the data version of each, and a backfill that was killed goes
    on with the partitions that are left.
    """
    with _beta_allowed():
        one_by_one = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
        decorator: Callable[..., Any] = dg.asset(backfill_policy=one_by_one, **options)
    return decorator


def observed_asset(spec: dg.AssetSpec) -> Callable[..., Any]:
    """Decorator of a function that looks at what is made elsewhere, and yields an ``ObserveResult``."""
    with _beta_allowed():
        decorator: Callable[..., Any] = dg.multi_observable_source_asset(
            specs=[spec], name=spec.key.to_python_identifier()
        )
    return decorator


@contextmanager
def _beta_allowed() -> Iterator[None]:
    """Both were announced as beta long ago; the pin in constraints.txt guards against a change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield
