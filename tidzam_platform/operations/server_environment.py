"""The environment of servers that only tests use: made beside ``.venv``, as their packages do not go with ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from tidzam_platform.errors import SetUpError
from tidzam_platform.files import write_whole
from tidzam_platform.operations import stamp
from tidzam_platform.operations.package_installer import PackageInstaller
from tidzam_platform.operations.set_up import locked
from tidzam_platform.operations.steps import Steps

FOLDER: Final = ".venv-s3-servers"
PINS: Final = "constraints-s3-servers.txt"
_MAKE_DEADLINE_S: Final = 300.0


def server_python(root: Path) -> Path | None:
    """The interpreter of the environment below ``root``; None where it is not made, or of other packages."""
    try:
        known = json.loads((root / FOLDER / stamp.STAMP).read_bytes())
    except (OSError, ValueError):
        return None
    return _python(root) if known == _stamp(root) else None


def prepare_server_environment(root: Path) -> None:
    """Make the environment where it is not made, or anew where other packages are wanted; a killed call is repaired.

    Where that fails (no network) it is said, and the tests that need it are skipped: the next call tries again.

    Raises:
        SetUpError: the project's folder cannot be written to.
    """
    root = root.resolve()
    if server_python(root) is not None:
        return
    with locked(root) as lock:
        if server_python(root) is not None:
            return  # another call did it while we waited
        log = Path(os.environ.get("TIDZAM_HOME") or root / "var") / "logs" / "set-up-s3-servers.log"
        with contextlib.closing(Steps(log, keep_open=[lock])) as steps:
            try:
                _make(root, steps)
            except SetUpError as error:
                steps.say(f"tests on S3 are skipped, their servers could not be installed: {error}")


def _make(root: Path, steps: Steps) -> None:
    folder = root / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    base = str(getattr(sys, "_base_executable", "") or sys.executable)
    with steps.step(f"making {FOLDER}, for the servers of the tests"):
        steps.run([base, "-m", "venv", "--without-pip", folder], deadline_s=_MAKE_DEADLINE_S)
    PackageInstaller(root, _python(root), steps).install_pinned(root / PINS)
    write_whole(folder / stamp.STAMP, json.dumps(_stamp(root)).encode())


def _stamp(root: Path) -> dict[str, Any]:
    """What it is made of, and where: once moved it is of no use."""
    return {
        "root": str(root),
        "interpreter": os.path.realpath(_python(root)),
        "packages": hashlib.sha256((root / PINS).read_bytes()).hexdigest(),
    }


def _python(root: Path) -> Path:
    return root / FOLDER / "bin" / "python"
