"""Start, stop, restart and check the processes of a home."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tidzam_platform.errors import ProcessError, SettingsError
from tidzam_platform.files import exclusive
from tidzam_platform.home import make_home_folder
from tidzam_platform.operations.supervision.bringing_up import Say, bring_up
from tidzam_platform.operations.supervision.checking import find_fault
from tidzam_platform.operations.supervision.preparing import Preparation, running
from tidzam_platform.operations.supervision.remote import ENDED, SupervisorClient
from tidzam_platform.operations.supervision.report import DEAD, READY, STOPPED, ProcessReport
from tidzam_platform.operations.supervision.table import ProcessTable
from tidzam_platform.operations.supervision.wanted import Wanted
from tidzam_platform.settings import Settings


class Supervision:
    """The processes of ``table`` on the home of ``settings``.

    One command at a time changes them: a lock says so. Methods that take ``names`` mean all processes where none is
    given, and raise InvalidNameError where no process is called so, BusyError where another command is at work on this
    home, and ProcessError where Supervisor cannot be started, does not answer, or goes away.

    Args:
        settings: of the processes.
        table: the processes.
        say: told of progress, a line each.
    """

    def __init__(self, settings: Settings, table: ProcessTable, say: Say = lambda _line: None) -> None:
        self._settings, self._table, self._say = settings, table, say
        self._preparation = Preparation(settings, table, say)
        self._wanted = Wanted(settings.run_folder / "wanted.json")

    @property
    def wanted(self) -> tuple[str, ...]:
        """The processes that somebody started and nobody stopped since, in the order of the table."""
        names = self._wanted.names()
        return tuple(name for name in self._table.names if name in names)

    def is_running(self) -> bool:
        """Whether Supervisor runs; ProcessError if it does but does not answer."""
        return self._preparation.find() is not None

    def running(self) -> tuple[str, ...]:
        """The processes that Supervisor keeps alive now, ready or not."""
        names = running(self._preparation.find())
        return tuple(name for name in self._table.names if name in names)

    def start(self, names: Iterable[str] = ()) -> list[ProcessReport]:
        """Start processes and what they need, and wait until they are ready.

        What runs already is left alone, unless its settings changed: then it, and what needs it, is started again.
        """
        chosen = self._table.with_needs(self._table.chosen(names))
        self._require_ports(chosen)
        with self._alone():
            client = self._preparation.find()
            again = frozenset[str]()
            if client is None:
                client = self._preparation.launch()
            else:
                again = self._preparation.update(client)
            return self._bring_up(client, chosen, again)

    def launch_in_foreground(self) -> subprocess.Popen[bytes]:
        """Start Supervisor, and no process yet, as a child of ours that does not outlive us; its owner waits for it.

        Raises:
            ProcessError: also where it runs in the background already.
        """
        with self._alone():
            if self.is_running():
                raise ProcessError(
                    f"the processes of {self._settings.home} run in the background already: ./tidzam stop first"
                )
            return self._preparation.launch_in_foreground()

    def stop(self, names: Iterable[str] = ()) -> list[ProcessReport]:
        """Stop processes and what needs them; and Supervisor when nothing is left.

        Whatever they started is ended, too. Where Supervisor died, what it left behind is found and ended.
        """
        given = tuple(names)
        affected = self._table.with_dependants(self._table.chosen(given))
        with self._alone():
            client = self._preparation.find()
            self._wanted.remove(affected if given else self._wanted.names())
            if client is None:
                self._preparation.clear_leavings()
                return [ProcessReport(name, STOPPED, ok=True) for name in reversed(affected)]
            known = client.processes()
            others = () if given else tuple(name for name in known if name not in self._table)
            reports = self._preparation.take_down(client, (*affected, *others))
            if all(info.state in ENDED for info in client.processes().values()):
                self._preparation.end()
            return reports

    def restart(self, names: Iterable[str] = ()) -> list[ProcessReport]:
        """Stop processes and what needs them, and start them, and what ran of the others, with today's settings."""
        chosen = self._table.chosen(names)
        affected = self._table.with_dependants(chosen)
        self._require_ports(self._table.with_needs(affected))
        with self._alone():
            client = self._preparation.find()
            ran = running(client)
            if client is None:
                client = self._preparation.launch()
            else:
                self._preparation.take_down(client, [name for name in affected if name in ran])
                ran &= {*affected, *self._preparation.update(client)}
            return self._bring_up(client, self._table.with_needs({*chosen, *ran}), ran)

    def check(self, names: Iterable[str] = ()) -> list[ProcessReport]:
        """Look at the processes that shall run (``wanted``), and start again what is broken, nothing else.

        Where Supervisor does not run, nothing is started: all of them are dead.
        """
        chosen = self._table.chosen(names)
        if not self.wanted:
            return []
        with self._alone():
            client = self._preparation.find()
            reports: dict[str, ProcessReport] = {}
            for name in (name for name in self.wanted if name in chosen):
                failed = [one for one in self._table.needs(name) if one in reports and not reports[one].ok]
                if client is None:
                    problem = "Supervisor, which ran it, is gone: ./tidzam start"
                    reports[name] = ProcessReport(name, DEAD, ok=False, problem=problem)
                elif failed:
                    problem = f"not looked at: it needs {' and '.join(failed)}"
                    reports[name] = ProcessReport(name, DEAD, ok=False, problem=problem)
                else:
                    reports[name] = self._mend(client, name)
            return list(reports.values())

    def _mend(self, client: SupervisorClient, name: str) -> ProcessReport:
        if name not in client.processes():
            return ProcessReport(name, DEAD, ok=False, problem="Supervisor does not know it: ./tidzam start")
        most = self._settings.supervision.max_memory_share
        fault = find_fault(client, self._table[name], most, self._say)
        if not fault:
            return ProcessReport(name, READY, ok=True, pid=client.info(name).pid)
        self._say(f"{name}: {fault}; it is started again")
        self._preparation.take_down(client, [name])
        (report,) = self._wait_for(client, [name], frozenset([name]))
        return replace(report, why=fault)

    def _bring_up(
        self, client: SupervisorClient, names: Iterable[str], again: frozenset[str]
    ) -> list[ProcessReport]:
        targets = self._table.chosen({*names, *again})
        self._wanted.add(targets)
        return self._wait_for(client, targets, again)

    def _wait_for(
        self, client: SupervisorClient, names: Iterable[str], again: frozenset[str]
    ) -> list[ProcessReport]:
        return bring_up(client, self._table, names, self._settings.logs_folder, self._say, again=again)

    def _require_ports(self, names: Iterable[str]) -> None:
        if unknown := [name for name in names if self._table[name].probe.port == 0]:
            raise SettingsError(
                f"{' and '.join(unknown)} would listen on port 0, any free one, where nobody finds it: set a port, or "
                "leave it out of supervision.processes (docs/settings.md)"
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_home_folder(self._settings.home)
        with exclusive(
            self._settings.locks_folder / "supervision.lock",
            "another start, stop, restart or check of processes",
        ):
            yield
