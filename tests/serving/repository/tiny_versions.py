"""Versions of a few bytes: what the repository promises does not depend on what a SavedModel holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from serving.repository import ModelRepository
from tests.support.crash import cli_environment

WHY = {"by": "ada", "reason": "a test"}


def stage(folder: Path, text: str = "graph") -> None:
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_text(text)
    (folder / "variables" / "variables.index").write_text("index")


def publish(repository: ModelRepository, version: int, text: str = "graph") -> Path:
    with repository.staging() as staged:
        stage(staged, text)
        return repository.publish(version, staged)


def publish_all(repository: ModelRepository, *versions: int) -> None:
    for version in versions:
        publish(repository, version)


def start_python(code: str, home: Path, *arguments: object, crash_at: str = "") -> subprocess.Popen[str]:
    """Start ``code`` in a process of its own; ``repository`` is the model repository of ``home`` in it."""
    prelude = (
        "import sys\nfrom pathlib import Path\nfrom serving.repository import ModelRepository\n"
        "repository = ModelRepository(Path(sys.argv[1]) / 'models')\n"
        "WHY = {'by': 'ada', 'reason': 'a test'}\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code, str(home), *map(str, arguments)],
        env=cli_environment(home, {"TIDZAM_CRASH_AT": crash_at}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(code: str, home: Path, *arguments: object, crash_at: str = "") -> int:
    """Like ``start_python``, waiting for the end; returns the exit code, and fails on any but 0 and SIGKILL's."""
    process = start_python(code, home, *arguments, crash_at=crash_at)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, -9), errors
    return process.returncode
