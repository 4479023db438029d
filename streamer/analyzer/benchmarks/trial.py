"""One run: engine, analyzer, web process and a client, all on a data folder of their own, beside a model server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from serving.benchmarks.server_process import ServerProcess
from streamer.analyzer.benchmarks.command_process import CommandProcess, cpu_s, tidzam
from streamer.analyzer.benchmarks.engine_report import Report
from streamer.analyzer.benchmarks.figures import Counted, Run, expected_windows, figures_of, window_of
from streamer.analyzer.benchmarks.followers import AnalyzerFollower, Follower, Place, SocketFollower
from streamer.analyzer.benchmarks.tone_engine import Load
from streamer.analyzer.benchmarks.window_ends import Grid
from streamer.analyzer.control import AnalyzerClient
from streamer.engine.control import EngineClient
from streamer.engine.one_blas_thread import ONE_BLAS_THREAD
from tidzam_platform.errors import AnalyzerUnavailableError, ProcessError
from tidzam_platform.settings import GraphSettings

_FOLLOWED_S: Final = 60.0
_HEARD_S: Final = 60.0  # from the first sample to a window of every channel
_SETTLE_S: Final = 3.0
_GRACE_S: Final = 5.0  # later than any window that is heard live
_LOOK_S: Final = 0.05
_ANSWER_S: Final = 60.0


@dataclass(frozen=True)
class Plan:
    """What one run carries, and for how long.

    Attributes:
        graph: settings of the audio graph.
        channels, channels_per_source: how many.
        spread_s: the last source begins so much later than the first.
        seconds: how long is counted.
        place: where results are waited for.
        grid: where windows lie.
    """

    graph: GraphSettings
    channels: int
    channels_per_source: int
    spread_s: float
    seconds: float
    place: Place
    grid: Grid


def run_trial(plan: Plan, server: ServerProcess, address: str) -> dict[str, Any]:
    """Carry the load, and count; see ``figures_of``.

    Args:
        plan: what to do.
        server: the model server.
        address: its own, ``host:port``.

    Raises:
        ProcessError: a process of the bench did not start, ended by itself, or not every channel was heard.
    """
    with tempfile.TemporaryDirectory(prefix="tidzam-bench-") as folder, ExitStack() as opened:
        return _Trial(plan, Path(folder), server, address, opened).run()


class _Trial:
    """Its processes, and who follows them; ``opened`` ends them all."""

    def __init__(
        self, plan: Plan, home: Path, server: ServerProcess, address: str, opened: ExitStack
    ) -> None:
        self._plan, self._server = plan, server
        host, _, port = address.rpartition(":")
        graph = plan.graph.model_copy(update={"max_channels": plan.channels}).model_dump()
        load = Load(
            home=str(home),
            channels=plan.channels,
            channels_per_source=plan.channels_per_source,
            graph=graph,
            spread_s=plan.spread_s,
        )
        tones = ["-m", "streamer.analyzer.benchmarks.tone_engine", load.as_json()]
        where = {"TIDZAM_MODEL_SERVER__HOST": host, "TIDZAM_MODEL_SERVER__PORT": port}
        start = opened.enter_context
        # All start side by side: imports take seconds. They end in the opposite order, the engine last.
        self._engine = start(CommandProcess("engine", tones, home, ONE_BLAS_THREAD))
        self._analyzer = start(CommandProcess("analyzer", tidzam("analyzer"), home, where))
        self._processes = [self._engine, self._analyzer]
        if plan.place is Place.SOCKETIO:
            self._processes.append(start(CommandProcess("web", tidzam("web", "--port", "0"), home, where)))
        said = {process.name: process.wait_until_ready() for process in self._processes}
        self._graph = str(said["engine"]["graph"])
        self._measured = self._measured_processes(said["engine"]["jackd_pid"])
        self._engine_client = start(EngineClient(home, timeout_s=_ANSWER_S))
        self._analyzer_client = start(AnalyzerClient(home, timeout_s=_ANSWER_S))
        self._follower: Follower = (
            SocketFollower(str(said["web"]["address"]), home)
            if plan.place is Place.SOCKETIO
            else AnalyzerFollower(home)
        )
        self._follower.__enter__()
        opened.callback(self._end_followed)
        self._wait(self._is_followed, _FOLLOWED_S, "nobody follows the analyzer, or it knows no model")

    def run(self) -> dict[str, Any]:
        """Play, wait until all is heard, count."""
        plan, follower = self._plan, self._follower
        self._engine_client.request("bench.play")
        self._wait(
            lambda: follower.channels == plan.channels,
            _HEARD_S,
            lambda: f"windows came of {follower.channels} of {plan.channels} channels",
        )
        time.sleep(_SETTLE_S)
        before, counted_before = self._report(), self._counted()
        batches, spent, from_s = self._server.spent(), self._cpu(), time.monotonic()
        self._pass(plan.seconds)
        until_s, spent_after, batches_after = time.monotonic(), self._cpu(), self._server.spent()
        after = self._report()
        self._wait_for_arrivals(after, from_s, until_s)
        used = {name: spent_after[name] - spent[name] for name in spent}
        figures = figures_of(
            Run(
                from_s,
                until_s,
                before,
                after,
                counted_before,
                self._counted(),
                used,
                tuple(follower.arrivals),
                plan.grid,
            )
        )
        return {
            **figures,
            "mean_batch": batches_after.since(batches).mean_batch,
            "graph": self._graph,
            "measured_at": plan.place.value,
            "spread_s": plan.spread_s,
            "channels_per_source": plan.channels_per_source,
        }

    def _measured_processes(self, jackd_pid: int | None) -> dict[str, list[psutil.Process]]:
        engine = psutil.Process(self._engine.pid)
        writers = [child for child in engine.children() if child.pid != jackd_pid]
        return {
            "jackd": [psutil.Process(jackd_pid)] if jackd_pid else [],
            "engine": [engine],
            "analyzer": [psutil.Process(self._analyzer.pid)],
            "web": [psutil.Process(process.pid) for process in self._processes[2:]],
            "tones": writers,
            "client": [psutil.Process()],
        }

    def _cpu(self) -> dict[str, float]:
        used = {name: cpu_s(*processes) for name, processes in self._measured.items()}
        return {**used, "server": self._server.spent().cpu_s}

    def _report(self) -> Report:
        return Report.of_answer(self._engine_client.request("bench.report"))

    def _counted(self) -> Counted:
        return Counted.of_answer(self._analyzer_client.request("counts"))

    def _is_followed(self) -> bool:
        try:
            status: Mapping[str, Any] = self._analyzer_client.request("status")
        except AnalyzerUnavailableError:  # it says that it runs a moment before it answers
            return False
        return bool(status["followers"] and status["hearing"]["is_hearing"])

    def _wait_for_arrivals(self, report: Report, from_s: float, until_s: float) -> None:
        """Until all that ended has arrived, or would have long ago."""
        grid = self._plan.grid
        expected = expected_windows(report, grid, from_s, until_s).keys()
        seen: set[tuple[str, int]] = set()
        end_s, done = time.monotonic() + _GRACE_S, 0
        while time.monotonic() < end_s:
            arrivals = self._follower.arrivals[done:]
            done += len(arrivals)
            seen.update(window_of(arrival, report.anchor_utc_ns, grid) for arrival in arrivals)
            if expected <= seen:
                return
            self._pass(_LOOK_S)

    def _wait(self, is_so: Callable[[], bool], limit_s: float, otherwise: str | Callable[[], str]) -> None:
        end_s = time.monotonic() + limit_s
        while not is_so():
            self._pass(_LOOK_S)
            if time.monotonic() > end_s:
                why = otherwise if isinstance(otherwise, str) else otherwise()
                raise ProcessError(f"within {limit_s:.0f} s {why}")

    def _pass(self, seconds: float) -> None:
        """Let time pass while all processes live."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            for process in self._processes:
                process.require_running()
            time.sleep(min(left_s, 1.0))

    def _end_followed(self) -> None:
        # Who follows the analyzer itself ends by its end.
        if self._plan.place is Place.ANALYZER:
            self._analyzer.stop()
        self._follower.__exit__(None, None, None)
