"""Environments that only tests use, made beside ``.venv``: their packages do not go with ours, or are rarely needed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tidzam_platform.errors import SetUpError
from tidzam_platform.files import write_whole
from tidzam_platform.operations import stamp
from tidzam_platform.operations.package_installer import PackageInstaller
from tidzam_platform.operations.set_up import locked
from tidzam_platform.operations.steps import Steps

_MAKE_DEADLINE_S: Final = 300.0


@dataclass(frozen=True)
class TestEnvironment:
    """An environment beside ``.venv``.

    Attributes:
        folder: its name below the project.
        pins: file that names all that is installed there, by version.
        what: what is installed, for messages.
        tests: the tests that are skipped without it, for messages.
        sees_ours: whether the packages of the environment that makes it are seen there, too.
    """

    __test__ = False  # pytest: no class of tests

    folder: str
    pins: str
    what: str
    tests: str
    sees_ours: bool = False


S3_SERVERS: Final = TestEnvironment(
    ".venv-s3-servers", "constraints-s3-servers.txt", "servers of the tests", "tests on S3"
)
CLUSTER: Final = TestEnvironment(
    ".venv-cluster", "constraints-cluster.txt", "Ray of the tests", "tests on a Ray cluster", sees_ours=True
)


def server_python(root: Path, environment: TestEnvironment = S3_SERVERS) -> Path | None:
    """The interpreter of the environment below ``root``; None where it is not made, or of other packages."""
    try:
        known = json.loads((root / environment.folder / stamp.STAMP).read_bytes())
    except (OSError, ValueError):
        return None
    return _python(root, environment) if known == _stamp(root, environment) else None


def prepare_server_environment(root: Path, environment: TestEnvironment = S3_SERVERS) -> None:
    """Make the environment where it is not made, or anew where other packages are wanted; a killed call is repaired.

    Where that fails (no network) it is said, and the tests that need it are skipped: the next call tries again.

    Raises:
        SetUpError: the project's folder cannot be written to.
    """
    root = root.resolve()
    if server_python(root, environment) is not None:
        return
    with locked(root) as lock:
        if server_python(root, environment) is not None:
            return  # another call did it while we waited
        name = environment.folder.removeprefix(".venv-")
        log = Path(os.environ.get("TIDZAM_HOME") or root / "var") / "logs" / f"set-up-{name}.log"
        with contextlib.closing(Steps(log, keep_open=[lock])) as steps:
            try:
                _make(root, environment, steps)
            except SetUpError as error:
                steps.say(
                    f"{environment.tests} are skipped, {environment.what} could not be installed: {error}"
                )


def _make(root: Path, environment: TestEnvironment, steps: Steps) -> None:
    folder = root / environment.folder
    if folder.exists():
        shutil.rmtree(folder)
    base = str(getattr(sys, "_base_executable", "") or sys.executable)
    with steps.step(f"making {environment.folder}, for the {environment.what}"):
        steps.run([base, "-m", "venv", "--without-pip", folder], deadline_s=_MAKE_DEADLINE_S)
    python = _python(root, environment)
    installer = PackageInstaller(root, python, steps)
    installer.install_pinned(root / environment.pins, dependencies=not environment.sees_ours)
    if environment.sees_ours:
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({_our_packages()!r})\n")
    write_whole(folder / stamp.STAMP, json.dumps(_stamp(root, environment)).encode())


def _stamp(root: Path, environment: TestEnvironment) -> dict[str, Any]:
    """What it is made of, and where: once moved it is of no use."""
    made_of = {
        "root": str(root),
        "interpreter": os.path.realpath(_python(root, environment)),
        "packages": hashlib.sha256((root / environment.pins).read_bytes()).hexdigest(),
    }
    return {**made_of, "ours": _our_packages()} if environment.sees_ours else made_of


def _our_packages() -> str:
    return sysconfig.get_path("purelib")


def _python(root: Path, environment: TestEnvironment) -> Path:
    return root / environment.folder / "bin" / "python"
