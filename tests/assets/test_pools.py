"""Runs wait for each other in pools: training beside training, hearing the past beside hearing the past."""

from __future__ import annotations

import pytest

from assets.definitions import defs
from assets.instance import open_instance, put_in_order
from assets.jobs import HEAR_ARCHIVE, INDEX_ARCHIVE, MAKE_GENERATION, RETRAIN_EXPERT
from assets.policies import INDEX_POOL, POOLS, REPROCESSING_POOL, TRAINING_POOL
from tidzam_platform.settings import Settings, load_settings

DAYS = {"source": "marsh", "first_day": "2026-04-01", "last_day": "2026-04-02"}
NEEDED = {"reprocess": {"ops": {"reprocess_days": {"config": DAYS}}}}


def test_runs_of_a_pool_are_admitted_from_the_queue(home: Settings) -> None:
    with open_instance(home) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert pools.default_pool_limit == 1
        assert str(pools.pool_granularity) == "PoolGranularity.RUN", "a waiting run would hold a process"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"


def test_training_and_hearing_the_past_have_pools_of_their_own(home: Settings) -> None:
    assert TRAINING_POOL == "gpu", "people have named it in their own tools"
    assert TRAINING_POOL != REPROCESSING_POOL
    with open_instance(home) as instance:
        for name, expected in (
            (MAKE_GENERATION, {TRAINING_POOL}),
            (RETRAIN_EXPERT, {TRAINING_POOL}),
            (INDEX_ARCHIVE, {INDEX_POOL}),
            (HEAR_ARCHIVE, {REPROCESSING_POOL}),
            ("reprocess", {REPROCESSING_POOL}),
            ("backup", set()),
        ):
            run = instance.create_run_for_job(defs.resolve_job_def(name), run_config=NEEDED.get(name))
            assert (run.run_op_concurrency.all_pools if run.run_op_concurrency else set()) == expected, name


def test_the_settings_limit_pools_and_runs(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDZAM_DAGSTER__MAX_RUNS", "7")
    monkeypatch.setenv("TIDZAM_DAGSTER__REPROCESSING_RUNS", "3")
    settings = load_settings()
    for _ in range(2):
        put_in_order(settings)
    with open_instance(settings) as instance:
        limits = {one.name: one.limit for one in instance.event_log_storage.get_pool_limits()}
        assert limits == dict.fromkeys(POOLS, 1) | {REPROCESSING_POOL: 3}
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 7


def test_a_place_is_left_beside_training_and_hearing_the_past(home: Settings) -> None:
    dagster = home.dagster
    assert dagster.training_runs + dagster.reprocessing_runs < dagster.max_runs
