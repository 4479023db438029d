"""The embedded server beside the same model called in process: throughput, latency, and what serving itself costs.

How it is measured: server and clients are processes of their own, on the same cores as the calls in process, which
rest meanwhile. A round measures, one after the other, every batch size in process; 1, 8 and 32 clients in a closed
loop, each after a warm-up; and an open loop at half of the best of those throughputs. Of each figure the median over
the rounds is told; ratios are taken within a round, so that a machine that slows down for a while slows both sides.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from serving.benchmarks.client_process import ClientProcess
from serving.benchmarks.in_process import BatchSpeed, InProcess
from serving.benchmarks.load import DEADLINE_S, Load, closed_loop, open_loop
from serving.benchmarks.random_versions import REFERENCE, export_random
from serving.benchmarks.server_process import ServerProcess, Spent
from serving.repository import ModelRepository
from tidzam_platform.classifiers.front_end import FrontEnd

_VERSION: Final = 1
_LIMIT_BATCHES: Final = 3  # times of the best batch that the slowest answers may take at half load
_SLACK_S: Final = 120.0  # of the clients' process: its imports, and answers that are late


@dataclass(frozen=True)
class ServePlan:
    """How much is measured; times in seconds, of each measurement of each round."""

    rounds: int = 5
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    clients: tuple[int, ...] = (1, 8, 32)
    in_process_s: float = 1.0
    warm_up_s: float = 1.0
    closed_s: float = 4.0
    open_s: float = 8.0


@dataclass(frozen=True)
class _Closed:
    """A closed loop: what clients saw, and what the server spent on it."""

    load: Load
    spent: Spent

    @property
    def server_cpu_ms(self) -> float:
        return self.spent.cpu_s / max(1, len(self.load.latencies_ms)) * 1e3

    @property
    def client_cpu_ms(self) -> float:
        return self.load.cpu_s / max(1, len(self.load.latencies_ms)) * 1e3


@dataclass(frozen=True)
class _Round:
    in_process: dict[int, BatchSpeed]
    closed: dict[int, _Closed]
    half: Load

    @property
    def saturated(self) -> _Closed:
        return max(self.closed.values(), key=lambda closed: closed.load.requests_per_s)

    @property
    def ratio(self) -> float:
        best = max(speed.windows_per_s for speed in self.in_process.values())
        return self.saturated.load.requests_per_s / best

    @property
    def failed(self) -> int:
        return self.half.failed + sum(closed.load.failed for closed in self.closed.values())

    def overhead_cpu_ms(self, closed: _Closed) -> float:
        costs = {batch: speed.cpu_ms_per_window for batch, speed in self.in_process.items()}
        return closed.server_cpu_ms - cost_at(closed.spent.mean_batch, costs)


def bench_serve(rounds: int) -> dict[str, Any]:
    """Measure with the CNN of 240,000 weights and our window of 1 s at 24 kHz; see ``measure_serve``.

    Neither the default network nor the settings of training move the figures; ``model_server.batching`` does.
    """
    with tempfile.TemporaryDirectory() as folder:
        repository = ModelRepository(Path(folder) / "models")
        with repository.staging() as staged:
            export_random(_VERSION, REFERENCE, FrontEnd(), staged)
            repository.publish(_VERSION, staged)
        return measure_serve(Path(folder), _VERSION, ServePlan(rounds=rounds))


def measure_serve(home: Path, version: int, plan: ServePlan) -> dict[str, Any]:
    """Throughput and latency of ``./tidzam serve`` on ``home``, whose newest version is ``version``.

    Returns:
        ``in_process``: the fastest ``batch``, its ``windows_per_s`` and ``batch_ms``, and ``cpu_ms_per_window`` by
            batch size (processor time, all threads).
        ``clients``: by number of clients ``requests_per_s``, ``p50_ms``, ``p99_ms``, the mean batch that the server's
            metrics tell, processor time per request of the clients and of the server, and how much of the latter is
            no inference.
        ``ratio_saturated``: the best of these throughputs over the best in process.
        ``overhead_cpu_ms``: at that load, processor time of the server's process per request, less that of
            inference in process at the mean batch.
        ``p99_ms``: at half of that load, in an open loop; ``p99_limit_ms``: three times ``batch_ms``.
        ``failed``: requests without an answer.
    """
    with (
        ServerProcess(home) as server,
        ClientProcess() as clients,
        closing(InProcess(ModelRepository(home / "models").path(version))) as model,
    ):
        address = server.wait_until_ready()

        def load(task: Callable[..., Load], amount: float, seconds: float) -> Load:
            limit_s = seconds + DEADLINE_S + _SLACK_S
            answer: Load = clients.run(task, address, model.samples, amount, seconds, timeout_s=limit_s)
            return answer

        def closed(number: int) -> _Closed:
            load(closed_loop, number, plan.warm_up_s)
            before = server.spent()
            seen = load(closed_loop, number, plan.closed_s)
            return _Closed(seen, server.spent().since(before))

        rounds = []
        for _ in range(plan.rounds):
            in_process = {batch: model.measure(batch, plan.in_process_s) for batch in plan.batches}
            loops = {number: closed(number) for number in plan.clients}
            half_hz = max(loop.load.requests_per_s for loop in loops.values()) / 2
            rounds.append(_Round(in_process, loops, load(open_loop, half_hz, plan.open_s)))
    return _report(plan, rounds)


def cost_at(batch: float, costs: dict[int, float]) -> float:
    """Cost at a batch size that need not be whole, between the two that were measured."""
    sizes = sorted(costs)
    return float(np.interp(batch, sizes, [costs[size] for size in sizes]))


def _report(plan: ServePlan, rounds: list[_Round]) -> dict[str, Any]:
    speeds = {batch: median(one.in_process[batch].windows_per_s for one in rounds) for batch in plan.batches}
    best = max(speeds, key=speeds.__getitem__)
    batch_ms = median(one.in_process[best].batch_ms for one in rounds)
    return {
        "cores": os.cpu_count(),
        "rounds": plan.rounds,
        "in_process": {
            "batch": best,
            "windows_per_s": speeds[best],
            "batch_ms": batch_ms,
            "cpu_ms_per_window": {
                str(batch): median(one.in_process[batch].cpu_ms_per_window for one in rounds)
                for batch in plan.batches
            },
        },
        "clients": [_closed_report(number, rounds) for number in plan.clients],
        "ratio_saturated": median(one.ratio for one in rounds),
        "overhead_cpu_ms": median(one.overhead_cpu_ms(one.saturated) for one in rounds),
        "half_load_requests_per_s": median(one.half.requests_per_s for one in rounds),
        "p50_ms": median(one.half.percentile_ms(50) for one in rounds),
        "p99_ms": median(one.half.percentile_ms(99) for one in rounds),
        "p99_limit_ms": _LIMIT_BATCHES * batch_ms,
        "failed": sum(one.failed for one in rounds),
    }


def _closed_report(number: int, rounds: list[_Round]) -> dict[str, Any]:
    loops = [one.closed[number] for one in rounds]
    return {
        "clients": number,
        "requests_per_s": median(loop.load.requests_per_s for loop in loops),
        "p50_ms": median(loop.load.percentile_ms(50) for loop in loops),
        "p99_ms": median(loop.load.percentile_ms(99) for loop in loops),
        "mean_batch": median(loop.spent.mean_batch for loop in loops),
        "client_cpu_ms": median(loop.client_cpu_ms for loop in loops),
        "server_cpu_ms": median(loop.server_cpu_ms for loop in loops),
        "overhead_cpu_ms": median(one.overhead_cpu_ms(one.closed[number]) for one in rounds),
    }
