"""What a process is to the supervisor, and the order in which processes start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any, Final

from tidzam_platform.errors import InvalidNameError
from tidzam_platform.operations.supervision.probes import Probe

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")  # a part of file names and of Supervisor's configuration


@dataclass(frozen=True)
class ProcessDefinition:
    """One process that runs until it is asked to end.

    Attributes:
        name: lower-case letters, digits and dashes.
        command: the program, as an absolute path, and its arguments; no secrets, since everyone may read them.
        probe: says whether it is ready.
        needs: names of processes that must be ready first.
        settings: values that it reads when it starts, as JSON; when they change, it must start again.
        ready_s: how long it may take until it is ready.
        stop_s: how long it may take to end after SIGTERM; SIGKILL then ends its whole process group.
    """

    name: str
    command: tuple[str, ...]
    probe: Probe
    needs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    ready_s: float = 120.0
    stop_s: float = 20.0


class ProcessTable:
    """Processes by name, in an order in which each comes after those that it needs.

    What is needed but not in the table runs elsewhere: nobody waits for it here.

    Raises:
        ValueError: a name is given twice or not well formed, or processes need each other in a circle.
    """

    def __init__(self, definitions: Iterable[ProcessDefinition]) -> None:
        given = list(definitions)
        by_name = {definition.name: definition for definition in given}
        if len(by_name) < len(given) or not all(map(_NAME.fullmatch, by_name)):
            raise ValueError(f"names of processes are not well formed: {[one.name for one in given]}")
        needs = {one.name: [name for name in one.needs if name in by_name] for one in given}
        self._needs = needs
        self._definitions = {name: by_name[name] for name in TopologicalSorter(needs).static_order()}

    def __getitem__(self, name: str) -> ProcessDefinition:
        return self._definitions[name]

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order in which they start."""
        return tuple(self._definitions)

    def needs(self, name: str) -> tuple[str, ...]:
        """What must be ready before that process starts, of this table."""
        return tuple(self._needs[name])

    def chosen(self, names: Iterable[str]) -> tuple[str, ...]:
        """``names`` in the order of the table; all where none is given.

        Raises:
            InvalidNameError: no process is called so.
        """
        asked = set(names)
        for name in sorted(asked):
            if name not in self:
                raise InvalidNameError(
                    f"no process of this machine is called {name!r}: choose of {', '.join(self.names)} "
                    "(settings: supervision.processes)"
                )
        return tuple(name for name in self.names if name in asked or not asked)

    def with_needs(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those and all that they need, at any depth, in the order of the table."""
        return self._closed(names, self._needs)

    def with_dependants(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those and all that need them, at any depth, in the order of the table."""
        dependants: dict[str, list[str]] = {name: [] for name in self.names}
        for name, needed in self._needs.items():
            for one in needed:
                dependants[one].append(name)
        return self._closed(names, dependants)

    def _closed(self, names: Iterable[str], onward: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
        found: set[str] = set()
        waiting = [name for name in names if name in self]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(onward[name])
        return tuple(name for name in self.names if name in found)
