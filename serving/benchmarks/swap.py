"""Versions swapped under load, and two that must never answer: what fails, what answers, what memory becomes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from serving.benchmarks.client_process import ClientProcess
from serving.benchmarks.load import DEADLINE_S, closed_loop, open_channel
from serving.benchmarks.random_versions import export_random
from serving.benchmarks.server_process import ServerProcess
from serving.benchmarks.swap_steps import Swaps
from serving.benchmarks.swap_traffic import Traffic, from_unavailable, model_stub, traffic
from serving.benchmarks.swap_versions import Versions, expected_scores, publish_versions
from serving.repository import ModelRepository
from tidzam_platform.classifiers.front_end import FrontEnd

_POLL: Final = {"TIDZAM_MODEL_SERVER__POLL_INTERVAL_S": "0.2"}
_SLACK_S: Final = 120.0  # of the clients' process: its imports, and answers that are late
_WARM_UP_S: Final = 0.5
_MEMORY_SAMPLES: Final = 5
_FAILURES_SHOWN: Final = 5


@dataclass(frozen=True)
class SwapPlan:
    """How much is done."""

    swaps: int = 50
    clients: int = 8
    rate_hz: float = 200.0
    pause_s: float = 1.0  # after each swap
    rest_s: float = 2.0  # before the first, and while memory is looked at
    versions: Versions = field(default_factory=Versions)


def bench_swap(swaps: int, architecture: str, front_end: FrontEnd) -> dict[str, Any]:
    """Swap versions of a network with random weights; see ``measure_swap``."""
    with tempfile.TemporaryDirectory() as folder:
        plan = SwapPlan(swaps=swaps)
        publish_versions(
            Path(folder),
            plan.versions,
            lambda version, staged: export_random(version, architecture, front_end, staged),
        )
        return measure_swap(Path(folder), plan)


def measure_swap(home: Path, plan: SwapPlan) -> dict[str, Any]:
    """Promote and roll back under load, on ``home`` as ``publish_versions`` leaves it.

    The server holds the stable version and the one that a rollback would go to. So each promotion loads a version and
    unloads one, and so does each rollback; a swap is over when the versions that it asks for are AVAILABLE and all
    others gone. A third of the way the corrupt version is asked for, first of the repository, which refuses, then of
    the server itself by HandleReloadConfigRequest. At two thirds the unfit one is promoted and rolled back.

    Returns:
        ``swaps``, ``requests``; ``failed``: those of them without an answer (nobody tries twice) and looks at the
        versions' states without one; ``wrong``: answers that are not those of the version which they name;
        ``answers_from_unavailable``; ``bad_versions_answered``: answers of the two
        bad versions; ``bad_versions``: what was said of each; ``memory_after_first_mb``, ``memory_after_last_mb``
        (resident, after the first and last swap) and their ``memory_ratio``; ``memory_mb`` after each swap;
        ``requests_per_s`` that came to be, and ``p50_ms``, ``p99_ms``, ``max_ms`` from when each was due;
        ``swap_s``: median time of a swap.

    Raises:
        ModelServerError: a swap did not come to an end.
    """
    repository = ModelRepository(home / "models")
    windows, expected = expected_scores(repository, plan.versions.good)
    swaps = Swaps(repository, plan.versions)
    swaps.label_first()
    took_s, memory_mb, said = [], [], {}
    with ServerProcess(home, _POLL) as server, ClientProcess() as clients:
        address = server.wait_until_ready()
        # The clients' imports take seconds: traffic is to be there before the first swap.
        clients.run(closed_loop, address, windows.shape[1], plan.clients, _WARM_UP_S, timeout_s=_SLACK_S)
        with open_channel(address) as channel:
            swaps.follow(model_stub(channel))
            clients.begin(traffic, address, windows, expected, plan.clients, plan.rate_hz)
            time.sleep(plan.rest_s)
            for number in range(plan.swaps):
                began_s = time.monotonic()
                swaps.swap(number)
                took_s.append(time.monotonic() - began_s)
                time.sleep(plan.pause_s)
                is_end = number in (0, plan.swaps - 1)
                memory_mb.append(_memory_mb(server, plan.rest_s) if is_end else server.memory_mb)
                # Both come after a rollback, when the base version is stable.
                if number == _rollback_before(plan.swaps // 3):
                    said["corrupt"] = swaps.ask_for_corrupt()
                if number == _rollback_before(plan.swaps * 2 // 3):
                    said["unfit"] = swaps.ask_for_unfit()
            clients.stop()
            seen: Traffic = clients.finish(DEADLINE_S + _SLACK_S)
    return {**_report(seen, plan.versions), **_costs(plan, took_s, memory_mb), "bad_versions": said}


def _rollback_before(number: int) -> int:
    """The last swap up to ``number`` that rolls back."""
    return max(1, number - 1 + number % 2)


def _memory_mb(server: ServerProcess, seconds: float) -> float:
    """Median over some seconds: requests come and go."""
    samples = []
    for _ in range(_MEMORY_SAMPLES):
        time.sleep(seconds / _MEMORY_SAMPLES)
        samples.append(server.memory_mb)
    return statistics.median(samples)


def _report(seen: Traffic, versions: Versions) -> dict[str, Any]:
    answered = [answer for answer in seen.answers if not answer.failure]
    failures = Counter(answer.failure for answer in seen.answers if answer.failure)
    latencies_ms = [(answer.answered_s - answer.due_s) * 1e3 for answer in seen.answers]
    ends_s = [answer.answered_s for answer in seen.answers]
    p50_ms, p99_ms = np.percentile(latencies_ms, (50, 99))
    return {
        "requests": len(seen.answers),
        "requests_per_s": len(seen.answers) / (max(ends_s) - min(answer.due_s for answer in seen.answers)),
        "failed": failures.total() + seen.failed_looks,
        "failures": dict(failures.most_common(_FAILURES_SHOWN)),
        "wrong": sum(not answer.is_right for answer in answered),
        "answers_from_unavailable": len(from_unavailable(answered, seen.looks)),
        "bad_versions_answered": sum(answer.version in versions.bad for answer in answered),
        "answers_by_version": {str(v): n for v, n in sorted(Counter(a.version for a in answered).items())},
        "looks_at_states": len(seen.looks),
        "p50_ms": float(p50_ms),
        "p99_ms": float(p99_ms),
        "max_ms": max(latencies_ms),
    }


def _costs(plan: SwapPlan, took_s: list[float], memory_mb: list[float]) -> dict[str, Any]:
    return {
        "swaps": plan.swaps,
        "rate_hz": plan.rate_hz,
        "clients": plan.clients,
        "swap_s": statistics.median(took_s),
        "memory_after_first_mb": memory_mb[0],
        "memory_after_last_mb": memory_mb[-1],
        "memory_ratio": memory_mb[-1] / memory_mb[0],
        "memory_mb": memory_mb,
    }
