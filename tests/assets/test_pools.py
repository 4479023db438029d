"""Training runs in a pool: runs that would share a GPU wait for each other in the queue."""

from __future__ import annotations

from assets.instance import TRAINING_POOL, open_instance
from assets.jobs import HEAR_ARCHIVE, INDEX_ARCHIVE, MAKE_GENERATION
from tidzam_platform.settings import Settings


def test_one_run_of_the_pool_at_once_is_admitted_from_the_queue(home: Settings) -> None:
    with open_instance(home) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert pools.default_pool_limit == 1
        assert str(pools.pool_granularity) == "PoolGranularity.RUN", "a waiting run would hold a process"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"


def test_only_the_asset_that_trains_is_in_the_pool(home: Settings) -> None:
    from assets.definitions import defs

    assert TRAINING_POOL == "gpu"
    pools = {
        node.name: node.definition.pool
        for node in defs.resolve_job_def(MAKE_GENERATION).nodes
        if node.definition.pool
    }
    assert pools == {"classifier": TRAINING_POOL}
    with open_instance(home) as instance:
        for name, expected in (
            (MAKE_GENERATION, {TRAINING_POOL}),
            (INDEX_ARCHIVE, set()),
            (HEAR_ARCHIVE, set()),
        ):
            run = instance.create_run_for_job(defs.resolve_job_def(name))
            assert (run.run_op_concurrency.all_pools if run.run_op_concurrency else set()) == expected, name
