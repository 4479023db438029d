"""A project so small that ``./tidzam`` sets it up in a second and without a network.

It has the real bootstrap and its real modules, a package without dependencies, and a build backend of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidzam_platform.settings import PROJECT_ROOT

DEADLINE_S = 90.0
BUILD_GATE = "TINY_BUILD_GATE"  # a file that the build backend waits for, a minute at most
_COPIED = ("__init__.py", "errors.py", "files.py", "crash_points.py", "cli/__init__.py", "cli/help_page.py")
_MAIN = """
import importlib.metadata, json, sys
print(json.dumps({
    "arguments": sys.argv[1:],
    "prefix": sys.prefix,
    "version": importlib.metadata.version("tiny"),
}))
sys.exit(7 if "fail" in sys.argv else 0)
"""
_PYPROJECT = """
[build-system]
requires = []
build-backend = "tiny_backend"
backend-path = ["backend"]
[project]
name = "tiny"
version = "{version}"
dependencies = {dependencies}
[project.optional-dependencies]
test = []
"""
_BACKEND = """
import base64, hashlib, os, pathlib, re, time, zipfile

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(folder, config_settings=None, metadata_directory=None):
    root = pathlib.Path.cwd()
    with (root / "builds.log").open("a") as log:
        log.write("build\\n")
    gate = os.environ.get("TINY_BUILD_GATE")
    end_s = time.monotonic() + 60
    while gate and not os.path.exists(gate) and time.monotonic() < end_s:
        time.sleep(0.02)
    project = (root / "pyproject.toml").read_text()
    version = re.search('version = "(.*)"', project)[1]
    needs = re.findall("'([^']+)'", re.search("(?m)^dependencies = (.*)$", project)[1])
    info = f"tiny-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", "Name: tiny", f"Version: {version}", "Provides-Extra: test"]
    files = {
        "tiny.pth": f"{root}\\n",
        f"{info}/METADATA": "\\n".join([*metadata, *(f"Requires-Dist: {need}" for need in needs), ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text.encode())}\\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\\n"
    name = f"tiny-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


@dataclass(frozen=True)
class TinyProject:
    """A tiny project in ``root``, and a PATH for it that holds only what a test puts there."""

    root: Path
    path: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def write_pyproject(self, version: str = "1.0", dependencies: tuple[str, ...] = ()) -> None:
        (self.root / "pyproject.toml").write_text(
            _PYPROJECT.format(version=version, dependencies=list(dependencies))
        )

    def put_on_path(self, program: Path) -> None:
        """Let the bootstrap find a program of this system."""
        (self.path / program.name).symlink_to(program)

    def put_script_on_path(self, name: str, text: str) -> None:
        """Let the bootstrap find a shell script as the program ``name``."""
        script = self.path / name
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)

    def builds(self) -> int:
        """How often the project was installed."""
        log = self.root / "builds.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def stamp(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.venv / "tidzam-setup.json").read_text())
        return content

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {
            "HOME": str(self.root.parent),
            "LANG": "C.UTF-8",
            "PATH": str(self.path),
            "PIP_NO_INDEX": "1",
            "TIDZAM_INSTALL_PARTS": "no",
            "UV_CACHE_DIR": str(self.root.parent / "uv-cache"),
            "UV_OFFLINE": "1",
            **(extra or {}),
        }

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        python: str = sys.executable,
        user: str | None = None,
    ) -> subprocess.Popen[str]:
        """Start ``./tidzam ARGUMENTS``; its output is captured."""
        return subprocess.Popen(
            [python, str(self.root / "tidzam"), *arguments],
            env=self.environment(env),
            cwd=self.root.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=user,
            extra_groups=[] if user else None,
        )

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``./tidzam ARGUMENTS`` to its end; see ``start``."""
        return finish(self.start(*arguments, **options))


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a process of ``TinyProject.start``; it is killed if it takes too long."""
    try:
        output, errors = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise AssertionError(f"still running after {DEADLINE_S:.0f} s\n{output}\n{errors}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def find_uv() -> Path | None:
    """A uv that needs no PATH of its own (a version manager's shim does), where the machine has one."""
    folders = [Path(sys.executable).parent, Path(sys.base_prefix) / "bin"]
    folders += [Path(folder) for folder in os.get_exec_path()]
    for candidate in (folder / "uv" for folder in folders):
        if os.access(candidate, os.X_OK) and candidate.read_bytes()[:4] == b"\x7fELF":
            return candidate
    return None


def make_tiny_project(folder: Path) -> TinyProject:
    """Make the project in ``folder/project`` with the bootstrap and the modules of this working tree."""
    root, path = folder / "project", folder / "path"
    (root / "backend").mkdir(parents=True)
    path.mkdir()
    package = root / "tidzam_platform"
    shutil.copy(PROJECT_ROOT / "tidzam", root / "tidzam")
    shutil.copytree(
        PROJECT_ROOT / "tidzam_platform" / "operations",
        package / "operations",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in _COPIED:
        (package / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT_ROOT / "tidzam_platform" / name, package / name)
    (package / "cli" / "__main__.py").write_text(_MAIN)
    (root / "backend" / "tiny_backend.py").write_text(_BACKEND)
    (root / "constraints.txt").write_text("")
    project = TinyProject(root, path)
    project.write_pyproject()
    return project
