"""Tests for which a system part is missing are skipped, counted, and not allowed where none may be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.parts import REQUIRE_VARIABLE
from tidzam_platform.settings import PROJECT_ROOT

NEEDS_A_PART = """
from tests.support.parts import require_part

def test_that_needs_a_part():
    require_part("mpv")
"""


def _run(folder: Path, *, required: bool) -> subprocess.CompletedProcess[str]:
    (folder / "test_part.py").write_text(NEEDS_A_PART)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "--rootdir",
            folder,
            "-c",
            os.devnull,
            folder,
        ],
        env={**os.environ, "PATH": str(folder), REQUIRE_VARIABLE: "1" if required else "0"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_they_are_skipped_with_the_command_that_installs_it_and_counted(tmp_path: Path) -> None:
    run = _run(tmp_path, required=False)
    assert run.returncode == 0, run.stdout
    assert "1 skipped" in run.stdout
    summary = run.stdout.partition("skipped for want of a system part")[2]
    assert "   1  system part missing: mpv (" in summary


def test_they_fail_where_no_part_may_be_missing(tmp_path: Path) -> None:
    run = _run(tmp_path, required=True)
    assert run.returncode == 1, run.stdout
    assert "system part missing: mpv (" in run.stdout
    assert "1 failed" in run.stdout
