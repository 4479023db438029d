"""Tiny projects for the tests of the set-up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tiny_project import TinyProject, find_uv, make_tiny_project

_FITS = "import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """A tiny project that was never set up, with uv on its PATH where the machine has it (pip takes longer)."""
    made = make_tiny_project(tmp_path)
    if uv := find_uv():
        made.put_on_path(uv)
    return made


@pytest.fixture
def open_project() -> Iterator[TinyProject]:
    """A tiny project that belongs to nobody, in a folder that every user can reach."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        made = make_tiny_project(folder)
        if uv := find_uv():
            shutil.copy(uv, made.path)
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody")
        yield made


@pytest.fixture(scope="session")
def nobody_python() -> str:
    """A Python that other users can start, too: a version manager's lies in its owner's home."""
    for candidate in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        try:
            run = subprocess.run(
                [candidate, "-c", _FITS], user="nobody", check=False, timeout=30, capture_output=True
            )
        except OSError:
            continue
        if run.returncode == 0:
            return candidate
    pytest.skip("no Python 3.11 to 3.13 that other users can start")
