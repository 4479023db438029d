"""Starting processes, each when those that it needs are ready, and waiting until all are."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.ports import listens
from tidzam_platform.operations.supervision.logs import log_lines, log_size
from tidzam_platform.operations.supervision.probes import Answer
from tidzam_platform.operations.supervision.remote import (
    ENDED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    ProcessInfo,
    SupervisorClient,
)
from tidzam_platform.operations.supervision.report import DEAD, NOT_READY, READY, ProcessReport
from tidzam_platform.operations.supervision.report import STOPPED as IS_STOPPED
from tidzam_platform.operations.supervision.table import ProcessDefinition, ProcessTable
from tidzam_platform.operations.supervision.trees import tree

Say = Callable[[str], None]

_POLL_S: Final = 0.1
_PROBE_S: Final = 3.0
_SAY_EVERY_S: Final = 10.0
_MOST_ENDS: Final = 4  # before it was ever ready; as Supervisor counts those that end within seconds


def ask(definition: ProcessDefinition, info: ProcessInfo) -> Answer:
    """Whether that very process is ready now: it runs, listens itself where it should, and its probe says so."""
    if info.state not in (STARTING, RUNNING) or not info.pid:
        return Answer(False, f"it does not run ({info.state.lower()}; {info.error or 'no reason known'})")
    port = definition.probe.port
    if port is not None and not any(_listens(process.pid, port) for process in tree(info.pid)):
        return Answer(False, f"it does not listen on port {port} yet")
    return definition.probe.ask(_PROBE_S)


def _listens(pid: int, port: int) -> bool:
    try:
        return listens(pid, port)
    except PermissionError:  # it ended just now, or a child runs as another user
        return False


def bring_up(
    client: SupervisorClient,
    table: ProcessTable,
    names: Iterable[str],
    logs_folder: Path,
    say: Say,
    *,
    again: Collection[str] = (),
) -> list[ProcessReport]:
    """Start ``names``, those of them that do not run, and wait until each is ready or its time is over.

    Processes that do not need each other start side by side. One that needs what did not become ready is not started.

    Args:
        client: Supervisor, which knows them all.
        table: what each needs; what is needed but not among ``names`` is taken to be ready.
        names: in the order of the table.
        logs_folder: where their logs are.
        say: told of progress, a line each.
        again: names that are said to be restarted, not started.

    Raises:
        ProcessError: Supervisor refuses, or is gone.
    """
    waiting = [_Waiting(table[name], logs_folder / f"{name}.log", name in again, say) for name in names]
    reports: dict[str, ProcessReport] = {}
    asked = {one.name for one in waiting}
    while len(reports) < len(waiting):
        infos = client.processes()
        for one in waiting:
            if one.name in reports:
                continue
            needs = [name for name in table.needs(one.name) if name in asked]
            if failed := [name for name in needs if name in reports and not reports[name].ok]:
                reports[one.name] = one.not_started(failed)
            elif all(name in reports for name in needs):
                report = one.step(client, infos)
                if report is not None:
                    reports[one.name] = report
        if len(reports) < len(waiting):
            time.sleep(_POLL_S)
    return list(reports.values())


@dataclass
class _Waiting:
    """One process on its way to be ready."""

    definition: ProcessDefinition
    log: Path
    again: bool
    say: Say
    began_s: float = 0.0
    log_bytes: int = 0
    said_s: float = 0.0
    started: bool | None = None  # by us; None: not looked at yet
    pid: int = 0  # of its last run
    ends: int = 0  # of its runs since we began

    @property
    def name(self) -> str:
        return self.definition.name

    def step(self, client: SupervisorClient, infos: Mapping[str, ProcessInfo]) -> ProcessReport | None:
        """Start it, or look at it; a report when it is decided what becomes of it."""
        info = infos.get(self.name)
        if info is None:
            raise ProcessError(
                f"Supervisor knows no process {self.name!r} any more: call ./tidzam start again"
            )
        if self.started is None:
            self.began_s = self.said_s = time.monotonic()
            self.log_bytes = log_size(self.log)
            self.started = False
            if info.state not in ENDED and info.state != STOPPING:
                return self._look(client, info)
        if not self.started and info.state in ENDED:
            client.start(self.name)
            self.say(f"{self.name}: {'starting again' if self.again else 'starting'}")
            self.started = True
            self.pid = self.ends = 0  # what was still on its way out does not count
            return None
        return self._look(client, info)

    def not_started(self, failed: Collection[str]) -> ProcessReport:
        """The report of a process whose turn never came."""
        problem = f"it was not started: it needs {' and '.join(failed)}"
        self.say(f"{self.name}: {problem}")
        return ProcessReport(self.name, IS_STOPPED, ok=False, problem=problem)

    def _look(self, client: SupervisorClient, info: ProcessInfo) -> ProcessReport | None:
        if self.started and (info.is_given_up or info.state == STOPPED):
            if info.state == "EXITED":
                return self._failed(info, DEAD, f"it cannot start (exit code {info.exit_status})")
            return self._failed(
                info, DEAD, f"it ended each time that it was started: {info.error or info.state}"
            )
        if info.pid and info.pid != self.pid:
            self.ends += self.pid != 0
            self.pid = info.pid
        if self.ends >= _MOST_ENDS:
            client.stop(self.name)
            return self._failed(
                info, DEAD, f"it ended {self.ends} times before it was ready, and is given up"
            )
        answer = ask(self.definition, info)
        took_s = time.monotonic() - self.began_s
        if answer.ready:
            remark = f" ({answer.detail})" if answer.detail else ""
            said = f"ready after {took_s:.1f} s" if self.started else "runs already"
            self.say(f"{self.name}: {said}{remark}")
            return ProcessReport(self.name, READY, ok=True, did=self._did(), pid=info.pid, why=answer.detail)
        if took_s > self.definition.ready_s:
            return self._failed(
                info, NOT_READY, f"it was not ready after {self.definition.ready_s:g} s: {answer.detail}"
            )
        if time.monotonic() - self.said_s > _SAY_EVERY_S:
            self.said_s = time.monotonic()
            self.say(f"{self.name}: not ready yet after {took_s:.0f} s: {answer.detail}")
        return None

    def _failed(self, info: ProcessInfo, state: str, why: str) -> ProcessReport:
        lines = log_lines(self.log, self.log_bytes)
        if len(lines) == 1:
            problem = f"{why}: {lines[0]}\nsee {self.log}"
        else:
            problem = "\n".join([why, f"see {self.log}:", *lines] if lines else [why])
        self.say(f"{self.name}: {problem}")
        return ProcessReport(self.name, state, ok=False, did=self._did(), pid=info.pid, problem=problem)

    def _did(self) -> str:
        return "" if not self.started else "restarted" if self.again else "started"
