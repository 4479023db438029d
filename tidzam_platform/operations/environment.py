"""The project's own Python environment ``.venv``: made, brought up to date, repaired.

Standard library only: the bootstrap uses it before the environment exists.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tidzam_platform.crash_points import reach
from tidzam_platform.errors import SetUpError
from tidzam_platform.files import remove_leavings, write_whole
from tidzam_platform.operations import debian_packages, stamp
from tidzam_platform.operations.package_installer import PackageInstaller, ask
from tidzam_platform.operations.steps import Steps

_MAKE_DEADLINE_S: Final = 300.0
# Prints the packages of which files are missing.
_FIND_HOLES: Final = """
import importlib.metadata, sysconfig
for package in importlib.metadata.distributions(path=[sysconfig.get_path("purelib")]):
    files = package.files
    if files is None or any(file.suffix != ".pyc" and not file.locate().exists() for file in files):
        print(package.metadata["Name"])
"""


class Environment:
    """``.venv`` below ``root``; the caller holds the lock of the set-up."""

    def __init__(self, root: Path, steps: Steps) -> None:
        self._root = root
        self._steps = steps
        self._folder = root / stamp.VENV
        self._python = Path(stamp.venv_python(str(root)))
        self._installer = PackageInstaller(root, self._python, steps)
        known = stamp.read_stamp(str(root))
        self._extras = stamp.names(known, "extras")
        self._tried_parts = stamp.names(known, "tried_parts")

    def bring_up_to_date(self, extras: Sequence[str]) -> None:
        """Install what pyproject.toml and constraints.txt ask for; the stamp says INSTALLING from then on.

        An environment whose set-up was interrupted, or that was moved, is made anew. One that something else
        made is used as it is, and made anew only if files are missing in it.

        Raises:
            SetUpError: a step failed; the message holds the end of its output.
        """
        self._extras = self._extras | set(extras)
        known = stamp.read_stamp(str(self._root))
        adopted = not known and self._runs()
        anew = not adopted and not stamp.is_made(str(self._root), known)
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_leavings(self._folder)
        self.write(stamp.INSTALLING)  # from here on, an interruption makes the next call start anew
        reach("set-up.begun")
        if anew:
            self._make_anew()
        self._installer.install(sorted(self._extras))
        reach("set-up.installed")
        if adopted and ask(self._python, "-I", "-c", _FIND_HOLES) != "":
            self._steps.say(f"files are missing in {self._folder}: it is made anew")
            self._make_anew()
            self._installer.install(sorted(self._extras))

    def write(self, state: str, tried_parts: Sequence[str] = ()) -> None:
        """Write the stamp; ``tried_parts`` are system parts that need not be tried again by themselves."""
        self._tried_parts = self._tried_parts | set(tried_parts)
        root = str(self._root)
        content: dict[str, Any] = {
            "state": state,
            **stamp.place(root),
            "requirements": stamp.requirements_hash(root),
            "extras": sorted(self._extras),
            "tried_parts": sorted(self._tried_parts),
        }
        write_whole(self._folder / stamp.STAMP, json.dumps(content, indent=1).encode())

    def _runs(self) -> bool:
        """Whether an interpreter that we support runs in the environment."""
        answer = ask(self._python, "-I", "-c", "import sys; print(*sys.version_info[:2], sys.prefix)")
        if answer is None:
            return False
        major, minor, prefix = answer.strip().split(" ", 2)
        supported = stamp.OLDEST_PYTHON <= (int(major), int(minor)) <= stamp.NEWEST_PYTHON
        return supported and os.path.realpath(prefix) == os.path.realpath(self._folder)

    def _make_anew(self) -> None:
        if importlib.util.find_spec("venv") is None:
            raise SetUpError(
                f"this Python ({sys.executable}) has no module venv; "
                "install it with: sudo apt-get install python3-venv"
            )
        # We may run in the very environment that goes: its base has all of the standard library.
        base = str(getattr(sys, "_base_executable", "") or sys.executable)
        with self._steps.step(f"making {stamp.VENV} with Python {'.'.join(map(str, sys.version_info[:3]))}"):
            for entry in self._folder.iterdir():
                if entry.name in (stamp.STAMP, debian_packages.RECORD):
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            reach("set-up.emptied")
            # pip comes later, and only where uv is not there: it is what Debian keeps in another package.
            self._steps.run([base, "-m", "venv", "--without-pip", self._folder], deadline_s=_MAKE_DEADLINE_S)
        reach("set-up.made")
