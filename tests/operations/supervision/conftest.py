"""A home with small real processes, and nothing left of them when a test ends."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.operations.supervision import actor
from tests.support.crash import cli_environment
from tidzam_platform.operations.ports import free_port
from tidzam_platform.operations.supervision import configuration
from tidzam_platform.operations.supervision.configuration import PID_FILE, SOCKET
from tidzam_platform.operations.supervision.probes import HttpProbe
from tidzam_platform.operations.supervision.report import ProcessReport
from tidzam_platform.operations.supervision.supervision import Supervision
from tidzam_platform.operations.supervision.table import ProcessDefinition, ProcessTable
from tidzam_platform.operations.supervision.trees import alive, marked
from tidzam_platform.settings import Settings, load_settings


@dataclass
class Site:
    """Settings, and definitions of actors that the test changes; each command sees them as they are then."""

    settings: Settings
    definitions: dict[str, ProcessDefinition] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def actor(
        self,
        name: str,
        *options: str,
        needs: tuple[str, ...] = (),
        ready_s: float = 30.0,
        stop_s: float = 10.0,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """Define one, or define it anew on the port that it has."""
        known = self.definitions.get(name)
        port = known.probe.port if known else free_port()
        assert port
        self.definitions[name] = ProcessDefinition(
            name,
            (sys.executable, str(Path(actor.__file__)), "--port", str(port), *options),
            HttpProbe("127.0.0.1", port, "/readyz"),
            needs=needs,
            settings=settings or {},
            ready_s=ready_s,
            stop_s=stop_s,
        )

    @property
    def supervision(self) -> Supervision:
        """Of what is defined now."""
        return Supervision(self.settings, ProcessTable(self.definitions.values()), self.said.append)

    @contextmanager
    def command(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Run the command line on what is defined now, in a process of its own."""
        definitions = self.settings.home.parent / "definitions.json"
        definitions.write_text(
            json.dumps(
                [
                    {
                        "name": one.name,
                        "command": one.command,
                        "port": one.probe.port,
                        "needs": one.needs,
                        "ready_s": one.ready_s,
                        "stop_s": one.stop_s,
                    }
                    for one in self.definitions.values()
                ]
            )
        )
        with subprocess.Popen(
            [sys.executable, "-m", "tests.operations.supervision.driver", str(definitions), *arguments],
            env=cli_environment(self.settings.home, env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command line to its end: exit code, standard output, standard error."""
        with self.command(*arguments) as process:
            out, err = process.communicate(timeout=60)
            return process.returncode, out, err

    def get(self, name: str, path: str) -> str:
        """Tell an actor to do something."""
        url = f"http://127.0.0.1:{self.definitions[name].probe.port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())

    def world(self, name: str) -> Any:
        """Environment, arguments and folder of an actor."""
        return json.loads(self.get(name, "/world"))

    def log(self, name: str) -> str:
        """What an actor wrote."""
        return (self.settings.logs_folder / f"{name}.log").read_text()

    def supervisor_pid(self) -> int:
        """Of Supervisor, which must run."""
        return int((self.settings.home / PID_FILE).read_text())

    def alive(self) -> list[psutil.Process]:
        """Every process that was started on this home and is left."""
        return [process for process in marked(self.settings.home) if alive(process)]

    def assert_nothing_is_left(self) -> None:
        """No process, no socket, no process number."""
        assert not self.alive()
        assert not (self.settings.home / SOCKET).exists()
        assert not (self.settings.home / PID_FILE).exists()


def gone(pid: int) -> bool:
    """Whether a process has ended; its number may wait for an init that is slow to notice."""
    try:
        return not alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return True


def by_name(reports: list[ProcessReport]) -> dict[str, ProcessReport]:
    """Reports in the order in which they came."""
    return {report.name: report for report in reports}


def make_site(folder: Path) -> Site:
    """A site on the data folder ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    return Site(load_settings(home=folder))


@pytest.fixture
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Supervisor gives up at once what ends too soon; its pauses between tries take seconds."""
    monkeypatch.setattr(configuration, "_START_TRIES", 0)


@pytest.fixture
def site(home: Settings) -> Iterator[Site]:
    """A site with nothing defined yet; everything is stopped at the end."""
    made = Site(home)
    yield made
    if not made.definitions:
        made.actor("nothing")
    made.supervision.stop()
    made.assert_nothing_is_left()
