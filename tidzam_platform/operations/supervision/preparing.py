"""Supervisor with today's configuration: launched on a home that a dead one may have left in disorder, or updated."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Iterable

from tidzam_platform.errors import ProcessError
from tidzam_platform.files import write_whole
from tidzam_platform.operations.supervision.bringing_up import Say
from tidzam_platform.operations.supervision.configuration import CONFIGURATION, configuration_text
from tidzam_platform.operations.supervision.daemon import Daemon
from tidzam_platform.operations.supervision.environment import process_environment, working_folder
from tidzam_platform.operations.supervision.launch_files import LaunchFiles
from tidzam_platform.operations.supervision.remote import ENDED, SupervisorClient
from tidzam_platform.operations.supervision.report import ProcessReport
from tidzam_platform.operations.supervision.table import ProcessTable
from tidzam_platform.operations.supervision.taking_down import take_down
from tidzam_platform.operations.supervision.trees import end, marked
from tidzam_platform.settings import Settings

_OVERHEAD_S = 2.0  # Supervisor looks at its processes once a second


class Preparation:
    """Launches, updates and ends the Supervisor of a home. Callers hold the lock of the supervision.

    All methods raise ProcessError where Supervisor does not do what it is asked.
    """

    def __init__(self, settings: Settings, table: ProcessTable, say: Say) -> None:
        self._settings, self._table, self._say = settings, table, say
        self._home = settings.home
        self._daemon = Daemon(settings.home)
        self._files = LaunchFiles(settings.run_folder / "processes")
        # It ends all of them, one after the other, before it ends itself.
        self._end_s = 10.0 + sum(self._stop_s(name) + _OVERHEAD_S for name in table.names)

    def find(self) -> SupervisorClient | None:
        """Supervisor, if it runs."""
        return self._daemon.find()

    def launch(self) -> SupervisorClient:
        """Start Supervisor in the background."""
        self._prepare()
        return self._daemon.launch()

    def launch_in_foreground(self) -> subprocess.Popen[bytes]:
        """Start Supervisor as our child."""
        self._prepare()
        return self._daemon.launch_in_foreground()

    def update(self, client: SupervisorClient) -> frozenset[str]:
        """Give a Supervisor that runs today's configuration.

        Returns:
            Processes that had to be stopped for that: those whose command or settings changed, and what needs them.
        """
        self._write_configuration()
        changes = client.reload()
        ran = running(client)
        for name in sorted(changes.changed & ran):
            self._say(f"{name}: its settings changed")
        outdated = (*self._table.with_dependants(changes.changed), *sorted(changes.removed))
        self.take_down(client, [name for name in outdated if name in ran])
        for name in sorted(changes.changed | changes.removed):
            client.remove(name)
        for name in sorted(changes.changed | changes.added):
            client.add(name)
        self._files.forget_old()
        return frozenset(name for name in outdated if name in ran and name in self._table)

    def take_down(self, client: SupervisorClient, names: Iterable[str]) -> list[ProcessReport]:
        """End processes, in reverse order, with all that they started."""
        return take_down(client, names, self._home, self._stop_s, self._say)

    def end(self) -> None:
        """End Supervisor and whatever it left."""
        self._daemon.end(self._end_s)
        self._end_leftovers()

    def clear_leavings(self) -> None:
        """Remove what a Supervisor left that was killed, or that a power cut ended, its processes included."""
        if (number := self._daemon.clear_leavings(self._end_s)) is not None:
            self._say(
                f"the Supervisor before (process {number}) did not end in order: its leavings are removed"
            )
        self._end_leftovers()

    def _prepare(self) -> None:
        self._make_run_folder()
        self.clear_leavings()
        self._settings.logs_folder.mkdir(exist_ok=True)
        self._write_configuration()
        self._files.forget_old()

    def _write_configuration(self) -> None:
        """Launch files, then the configuration that names them; each whole, or as before."""
        environment, folder = process_environment(self._settings), working_folder(self._settings)
        launch_files = {
            name: os.path.relpath(self._files.write(self._table[name], environment, folder), self._home)
            for name in self._table.names
        }
        text = configuration_text(self._table, launch_files, self._settings.supervision)
        write_whole(self._home / CONFIGURATION, text.encode())

    def _make_run_folder(self) -> None:
        folder = self._settings.run_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise ProcessError(
                f"{folder} belongs to another user, who alone can start and stop the processes of this home; become "
                "that user, or name another home"
            )
        folder.chmod(0o700)

    def _end_leftovers(self) -> None:
        if left := marked(self._home):
            self._say(f"ending {len(left)} processes that a Supervisor left behind")
            end(left, max(map(self._stop_s, self._table.names)))

    def _stop_s(self, name: str) -> float:
        """As the configuration file says it, in whole seconds."""
        stop_s = self._table[name].stop_s if name in self._table else self._settings.supervision.stop_s
        return float(math.ceil(stop_s))


def running(client: SupervisorClient | None) -> frozenset[str]:
    """What a Supervisor keeps alive now."""
    infos = client.processes() if client is not None else {}
    return frozenset(name for name, info in infos.items() if info.state not in ENDED)
