"""What ``bench serve`` tells: each figure from where it says, on a tiny model. Nothing here is timed."""

from __future__ import annotations

import shutil
import time

import pytest

from serving.benchmarks.client_process import ClientProcess
from serving.benchmarks.load import Load
from serving.benchmarks.serve import ServePlan, cost_at, measure_serve
from serving.benchmarks.server_process import Spent, total
from serving.repository import ModelRepository
from serving.server.metrics import Metrics
from tidzam_platform.errors import ProcessError

_LIMIT_S = 60


def test_every_figure_is_there_and_they_agree(exported, home):
    repository = ModelRepository(home.models_folder)
    with repository.staging() as staged:
        shutil.copytree(exported(3), staged, dirs_exist_ok=True)
        repository.publish(3, staged)
    plan = ServePlan(
        rounds=1,
        batches=(1, 4),
        clients=(1, 3),
        in_process_s=0.05,
        warm_up_s=0.1,
        closed_s=0.5,
        open_s=0.3,
    )
    report = measure_serve(home.home, 3, plan)

    local = report["in_process"]
    assert local["batch"] in plan.batches
    assert set(local["cpu_ms_per_window"]) == {"1", "4"}
    assert all(cost > 0 for cost in local["cpu_ms_per_window"].values())
    assert [row["clients"] for row in report["clients"]] == [1, 3]
    for row in report["clients"]:
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert 1 <= row["mean_batch"] <= row["clients"]
        assert row["client_cpu_ms"] > 0
        assert row["overhead_cpu_ms"] < row["server_cpu_ms"]
    best = max(row["requests_per_s"] for row in report["clients"])
    assert report["ratio_saturated"] == pytest.approx(best / local["windows_per_s"])
    assert report["p99_limit_ms"] == pytest.approx(3 * local["batch_ms"])
    assert report["p99_ms"] > 0
    assert report["failed"] == 0


def test_a_request_that_failed_is_no_throughput_and_no_quick_answer():
    load = Load([1.0, 1.0, 10_000.0], failed=1, elapsed_s=2.0, cpu_s=0.1)
    assert load.requests_per_s == 1.0
    assert load.percentile_ms(99) > 5_000


def test_what_a_server_spent_comes_from_its_own_metrics():
    metrics = Metrics()
    for rows in (3, 5, 4):
        metrics.batch(rows, 0.1)
    text = metrics.render()[0].decode()
    name = ":tensorflow:serving:batching:processed_batch_size"
    assert (total(text, f"{name}_sum"), total(text, f"{name}_count")) == (12, 3)
    assert total(text, "no_such_metric") == 0
    assert Spent(5.0, 112, 13).since(Spent(3.0, 100, 10)) == Spent(2.0, 12, 3)
    assert Spent(2.0, 12, 3).mean_batch == 4
    assert Spent(2.0, 0, 0).mean_batch == 0


def test_the_cost_of_a_batch_between_two_sizes_lies_between_theirs():
    costs = {1: 10.0, 4: 4.0, 8: 2.0}
    assert [cost_at(batch, costs) for batch in (1, 2.5, 4, 6, 8)] == [10, 7, 4, 3, 2]


def _add(_stopping, one, other):
    return one + other


def _fail(_stopping):
    raise ValueError("thirteen")


def _until_stopped(stopping):
    while not stopping():
        time.sleep(0.01)
    return "stopped"


def test_the_clients_process_answers_fails_and_stops_as_it_is_told():
    with ClientProcess() as clients:
        assert clients.run(_add, 2, 3, timeout_s=_LIMIT_S) == 5
        with pytest.raises(ProcessError, match="ValueError: thirteen"):
            clients.run(_fail, timeout_s=_LIMIT_S)
        clients.begin(_until_stopped)
        with pytest.raises(ProcessError, match="did not finish within"):
            clients.finish(0.05)
        clients.stop()
        assert clients.finish(_LIMIT_S) == "stopped"
        assert clients.run(_add, 2, 4, timeout_s=_LIMIT_S) == 6
