"""Installing the project's Python packages: with uv where it can be had, else with pip.

Standard library only: the bootstrap uses it before the environment exists.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidzam_platform.errors import SetUpError
from tidzam_platform.operations import debian_packages, stamp
from tidzam_platform.operations.steps import StepFailedError, Steps

_ASK_DEADLINE_S: Final = 60.0
_TOOL_DEADLINE_S: Final = 300.0
_INSTALL_DEADLINE_S: Final = 7200.0
_PIP_INSTALL: Final = ("-m", "pip", "install", "--no-input", "--progress-bar", "off")
# These would send packages elsewhere than into the environment.
_FOREIGN_VARIABLES: Final = (
    "PIP_CONSTRAINT", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER", "PYTHONHOME",
    "PYTHONPATH", "UV_CONSTRAINT", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV",
)  # fmt: skip


class PackageInstaller:
    """Installs into the environment of the interpreter ``python``, what the project in ``root`` asks for."""

    def __init__(self, root: Path, python: Path, steps: Steps) -> None:
        self._root = root
        self._python = python
        self._steps = steps

    def install(self, extras: Sequence[str]) -> None:
        """Install the project, editable, with its optional dependencies ``extras``; bytecode is compiled.

        Raises:
            StepFailedError: neither uv nor pip succeeded.
            SetUpError: there is no way to get pip here; the message says how.
        """
        target = f".[{','.join(extras)}]" if extras else "."
        self._install("--constraint", "constraints.txt", "--editable", target)

    def install_pinned(self, file: Path, *, dependencies: bool = True) -> None:
        """Install what ``file`` names, all of it by version; raises as ``install``.

        Without ``dependencies`` nothing else: what these packages need is found elsewhere.
        """
        self._install("--requirement", file, *([] if dependencies else ["--no-deps"]))

    def _install(self, *request: str | Path) -> None:
        if uv := self._find_uv():
            try:
                with self._steps.step("installing Python packages with uv"):
                    into = ("--python", self._python, "--compile-bytecode")
                    self._run([uv, "pip", "install", *into, *request], _INSTALL_DEADLINE_S)
            except StepFailedError as error:  # e.g. a package index or proxy that only pip is configured for
                self._steps.say(f"uv did not succeed ({error.reason}); trying pip")
            else:
                return
        self._ensure_pip()
        with self._steps.step("installing Python packages with pip"):
            self._run([self._python, *_PIP_INSTALL, *request], _INSTALL_DEADLINE_S)

    def _find_uv(self) -> Path | None:
        """A uv that runs: on the PATH, in the environment, or installed there now."""
        own = self._python.with_name("uv")
        first = self._root / stamp.VENV / "bin" / "uv"  # when it makes another environment beside itself
        for candidate in (shutil.which("uv"), own, first):
            if candidate is not None and ask(candidate, "--version") is not None:
                return Path(candidate)
        self._ensure_pip()
        try:
            with self._steps.step("installing uv, which installs packages quickly"):
                wanted = ("--constraint", "constraints.txt", "uv")
                self._run([self._python, *_PIP_INSTALL, *wanted], _TOOL_DEADLINE_S)
        except StepFailedError as error:
            self._steps.say(f"uv cannot be installed ({error.reason}); pip takes its place, and minutes more")
            return None
        return own

    def _ensure_pip(self) -> None:
        if ask(self._python, "-I", "-m", "pip", "--version") is not None:
            return
        if ask(self._python, "-I", "-c", "import ensurepip") is None:
            self._install_ensurepip()
        with self._steps.step("installing pip"):
            self._run([self._python, "-m", "ensurepip", "--default-pip"], _TOOL_DEADLINE_S)

    def _install_ensurepip(self) -> None:
        """Debian keeps it in a package of its own."""
        package = f"python3.{sys.version_info.minor}-venv"
        if reason := debian_packages.refusal():
            raise SetUpError(
                f"this Python ({sys.executable}) brings no pip: its module ensurepip is missing\n"
                f"  install it with: sudo apt-get install {package}   (elsewhere: a complete Python, or uv)\n"
                f"  and call ./tidzam again; it was not installed by itself: {reason}"
            )
        record = self._python.parents[1] / debian_packages.RECORD
        with self._steps.step(f"installing {package} (Debian package)"):
            debian_packages.install(debian_packages.Order((package,)), self._steps, record)

    def _run(self, command: Sequence[str | Path], deadline_s: float) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN_VARIABLES}
        environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        self._steps.run(command, deadline_s=deadline_s, environment=environment, folder=self._root)


def ask(program: str | Path, *arguments: str) -> str | None:
    """What a program answers on standard output; None where it cannot be started, fails or takes too long.

    A shim on the PATH need not have a program behind it, and an environment need not be whole.
    """
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_DEADLINE_S,
            check=True,
        ).stdout
    return None
