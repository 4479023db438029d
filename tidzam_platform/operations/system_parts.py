"""Programs of the operating system that Tidzam uses, in one table.

The bootstrap imports this before the environment exists: standard library only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_VERSION_DEADLINE_S: Final = 10.0
_VERSION = re.compile(r"\d+(?:\.\d+)+")

Kind = Literal["needed", "useful", "test"]


@dataclass(frozen=True)
class SystemPart:
    """A program of the operating system, the Debian package that brings it, and what it is for.

    Attributes:
        name: what we call it; the key of the table.
        program: its presence proves the part.
        package: Debian's (and Ubuntu's) package.
        kind: ``needed``: little works without; ``useful``: some commands need it; ``test``: only tests do.
        needed_for: what uses it.
        without: what still works where it is missing.
        version_option: makes the program print its version.
        folders: glob patterns, below ``/``, of folders off the PATH where Debian keeps the program.
        services: system services that the package would start; Tidzam starts its own instead.
        debconf: answers to the package's questions, in the form of debconf-set-selections(1).
    """

    name: str
    program: str
    package: str
    kind: Kind
    needed_for: str
    without: str
    version_option: str = "--version"
    folders: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    debconf: tuple[str, ...] = ()

    def find(self) -> Path | None:
        """Where the program is, the newest version first; None where it is not installed."""
        if on_path := shutil.which(self.program):
            return Path(on_path)
        for pattern in self.folders:
            folders = sorted(Path("/").glob(pattern), key=_numbers, reverse=True)
            for folder in folders:
                if os.access(folder / self.program, os.X_OK):
                    return folder / self.program
        return None

    def version(self) -> str:
        """What the installed program says of its version, e.g. ``5.1.6``; empty where it says nothing."""
        program = self.find()
        if program is None:
            return ""
        try:
            answer = subprocess.run(
                [program, self.version_option],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_VERSION_DEADLINE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = _VERSION.search(answer.stdout.decode(errors="replace"))
        return found.group() if found else ""


PARTS: Final[tuple[SystemPart, ...]] = (
    SystemPart(
        name="ffmpeg",
        program="ffmpeg",
        package="ffmpeg",
        kind="needed",
        needed_for="reading and writing audio: nearly every command",
        without="looking at what is in the catalog",
        version_option="-version",
    ),
    SystemPart(
        name="mpv",
        program="mpv",
        package="mpv",
        kind="useful",
        needed_for="playing live sources and archives into JACK",
        without="files, training, the model server",
    ),
    SystemPart(
        name="jackd",
        program="jackd",
        package="jackd2",
        kind="useful",
        needed_for="live audio through JACK",
        without="files, training, the model server; live audio in process",
        debconf=("jackd2 jackd/tweak_rt_limits boolean false",),
    ),
    SystemPart(
        name="icecast",
        program="icecast2",
        package="icecast2",
        kind="useful",
        needed_for="listening to channels in a browser or player",
        without="everything else",
        version_option="-v",
        services=("icecast2.service",),
        debconf=("icecast2 icecast2/icecast-setup boolean false",),
    ),
    SystemPart(
        name="opus-tools",
        program="opusenc",
        package="opus-tools",
        kind="useful",
        needed_for="looking into damaged Opus recordings by hand",
        without="everything else",
    ),
    SystemPart(
        name="postgresql",
        program="postgres",
        package="postgresql",
        kind="test",
        needed_for="tests of the catalog on PostgreSQL",
        without="all other tests, and Tidzam itself on SQLite",
        folders=("usr/lib/postgresql/*/bin",),
        services=("postgresql.service",),
    ),
    SystemPart(
        name="strace",
        program="strace",
        package="strace",
        kind="test",
        needed_for="tests that no other file is opened",
        without="all other tests",
    ),
    SystemPart(
        name="curl",
        program="curl",
        package="curl",
        kind="test",
        needed_for="tests that call the HTTP APIs as people do",
        without="all other tests",
    ),
    SystemPart(
        name="openssl",
        program="openssl",
        package="openssl",
        kind="test",
        needed_for="tests that others can check a signature of ours",
        without="all other tests",
        version_option="version",
    ),
    SystemPart(
        name="node",
        program="node",
        package="nodejs",
        kind="test",
        needed_for="tests of the JavaScript example and of the pages' scripts",
        without="all other tests",
    ),
    SystemPart(
        name="mosquitto",
        program="mosquitto",
        package="mosquitto",
        kind="test",
        needed_for="tests of MQTT against a real broker",
        without="all other tests",
        version_option="-h",
        folders=("usr/sbin",),
        services=("mosquitto.service",),
    ),
    SystemPart(
        name="chromium",
        program="chromium",
        package="chromium",
        kind="test",
        needed_for="tests of the web process's pages",
        without="all other tests",
    ),
)

USER_PARTS: Final = tuple(part for part in PARTS if part.kind != "test")


def missing_parts(parts: Iterable[SystemPart]) -> list[SystemPart]:
    """Those of ``parts`` that are not installed."""
    return [part for part in parts if part.find() is None]


def install_command(parts: Iterable[SystemPart]) -> str:
    """What a person types to install ``parts``, on Debian and Ubuntu; elsewhere, what to look for."""
    packages = " ".join(part.package for part in parts)
    if shutil.which("apt-get") is None:
        return f"with your system's package manager: {packages}"
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {packages}"


def _numbers(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]
