"""Installing Debian packages without questions, started services or other traces on the user's system.

Standard library only: the bootstrap uses it before the environment exists.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidzam_platform.files import write_whole
from tidzam_platform.operations.steps import StepFailedError, Steps

INSTALL_VARIABLE: Final = "TIDZAM_INSTALL_PARTS"  # "no": only name what is missing
RECORD: Final = "tidzam-packages.json"  # name of the record of changes to take back
_SUDO_DEADLINE_S: Final = 10.0
_SHORT_DEADLINE_S: Final = 60.0
_UPDATE_DEADLINE_S: Final = 180.0
_INSTALL_DEADLINE_S: Final = 1200.0
_APT_OPTIONS: Final = (
    "-o", "DPkg::Lock::Timeout=120",  # seconds; another package manager may be at work
    "-o", "Acquire::Retries=2",
    "-o", "Acquire::http::Timeout=30",
)  # fmt: skip
# RUNLEVEL=1 keeps invoke-rc.d from starting services where systemd does not run.
_ENVIRONMENT: Final = ("DEBIAN_FRONTEND=noninteractive", "DEBCONF_NOWARNINGS=yes", "RUNLEVEL=1", "LC_ALL=C")
# Debian's postgresql makes and starts a database cluster of its own unless told otherwise here.
_CLUSTER_FOLDER: Final = Path("/etc/postgresql-common/createcluster.d")
_CLUSTER_FILE: Final = _CLUSTER_FOLDER / "tidzam-set-up.conf"
_CLUSTER_TEXT: Final = (
    "# Made by Tidzam's set-up for one installation, removed after it.\ncreate_main_cluster = false\n"
)


@dataclass(frozen=True)
class Order:
    """What to install.

    Attributes:
        packages: names of Debian packages.
        services: systemd units that the packages would start and enable.
        debconf: answers to the packages' questions, in the form of debconf-set-selections(1).
    """

    packages: tuple[str, ...]
    services: tuple[str, ...] = ()
    debconf: tuple[str, ...] = ()


def refusal() -> str:
    """Why packages cannot be installed from here; empty where they can."""
    if os.environ.get(INSTALL_VARIABLE) == "no":
        return f"{INSTALL_VARIABLE}=no"
    if shutil.which("apt-get") is None:
        return "this system has no apt-get"
    if os.geteuid() != 0 and not _sudo_asks_nothing():
        return "only root may install them, and sudo wants a password"
    return ""


def install(order: Order, steps: Steps, record: Path) -> None:
    """Install packages as root or through sudo; services stay off, no database cluster is made.

    What is changed on the way stands in ``record`` first, so that ``recover`` can take it back after a kill.

    Raises:
        StepFailedError: apt-get failed; nothing but whole packages is left behind.
    """
    masked = order.services if _systemd_runs() else ()
    changes = {"services": masked, "cluster_file": "postgresql" in order.packages}
    write_whole(record, json.dumps(changes).encode(), root=record.parent)
    try:
        with contextlib.suppress(StepFailedError):  # old lists may do; if not, the next step says so
            _as_root(steps, "apt-get", "update", *_APT_OPTIONS, deadline_s=_UPDATE_DEADLINE_S)
        get = ("apt-get", "install", "--yes", "--no-install-recommends", *_APT_OPTIONS)
        _as_root(steps, *get, "--download-only", *order.packages, deadline_s=_INSTALL_DEADLINE_S)
        if order.debconf:
            answers = "\n".join(order.debconf) + "\n"
            _as_root(steps, "debconf-set-selections", deadline_s=_SHORT_DEADLINE_S, text=answers)
        if changes["cluster_file"]:
            _as_root(steps, "mkdir", "-p", str(_CLUSTER_FOLDER), deadline_s=_SHORT_DEADLINE_S)
            _as_root(steps, "tee", str(_CLUSTER_FILE), deadline_s=_SHORT_DEADLINE_S, text=_CLUSTER_TEXT)
        for service in masked:
            _as_root(steps, "systemctl", "mask", "--runtime", service, deadline_s=_SHORT_DEADLINE_S)
        _unpack(steps, get, order.packages)
    finally:
        _undo(steps, record)


def recover(steps: Steps, record: Path) -> None:
    """Take back what a killed ``install`` changed beside the packages; does nothing where none was killed.

    The package manager outlives us, and must find those changes until it is done: it is awaited first.

    Raises:
        StepFailedError: only root can take them back, and we may not act as root any more.
    """
    if not record.exists():
        return
    with steps.step("waiting for the package manager, which was interrupted"):
        patient = ("-o", f"DPkg::Lock::Timeout={_INSTALL_DEADLINE_S:.0f}")
        # Asked for no package, apt-get waits for the lock and ends. It fails where dpkg was stopped halfway:
        # that is no reason to leave the changes, and is mended when a package is installed.
        with contextlib.suppress(StepFailedError):
            _as_root(steps, "apt-get", "install", "--yes", *patient, deadline_s=_INSTALL_DEADLINE_S)
        _undo(steps, record)


def _undo(steps: Steps, record: Path) -> None:
    changes = json.loads(record.read_bytes())
    if changes["cluster_file"]:
        _as_root(steps, "rm", "-f", str(_CLUSTER_FILE), deadline_s=_SHORT_DEADLINE_S)
        package_came = (_CLUSTER_FOLDER.parent / "createcluster.conf").exists()
        if _CLUSTER_FOLDER.exists() and not package_came:
            empty = ("rmdir", "--parents", "--ignore-fail-on-non-empty", str(_CLUSTER_FOLDER))
            _as_root(steps, *empty, deadline_s=_SHORT_DEADLINE_S)
    for service in changes["services"]:
        _as_root(steps, "systemctl", "unmask", "--runtime", service, deadline_s=_SHORT_DEADLINE_S)
        with contextlib.suppress(StepFailedError):  # the unit is not there when its package was not installed
            _as_root(steps, "systemctl", "disable", "--now", service, deadline_s=_SHORT_DEADLINE_S)
    record.unlink()


def _unpack(steps: Steps, get: Sequence[str], packages: Sequence[str]) -> None:
    """Unpack and configure; where dpkg was once interrupted, let it finish that first, then try again."""
    try:
        _as_root(steps, *get, *packages, deadline_s=_INSTALL_DEADLINE_S, must_finish=True)
    except StepFailedError as error:
        if "dpkg --configure -a" not in str(error):
            raise
        _as_root(steps, "dpkg", "--configure", "-a", deadline_s=_INSTALL_DEADLINE_S, must_finish=True)
        _as_root(steps, *get, *packages, deadline_s=_INSTALL_DEADLINE_S, must_finish=True)


def _as_root(
    steps: Steps, *command: str, deadline_s: float, text: str = "", must_finish: bool = False
) -> None:
    sudo = () if os.geteuid() == 0 else ("sudo", "-n")
    # sudo drops our environment: env(1) sets what the command needs.
    line = (*sudo, "env", *_ENVIRONMENT, *command)
    steps.run(line, deadline_s=deadline_s, text=text, must_finish=must_finish)


def _systemd_runs() -> bool:
    return Path("/run/systemd/system").is_dir()  # sd_booted(3)


def _sudo_asks_nothing() -> bool:
    try:
        answer = subprocess.run(
            ["sudo", "-n", "true"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SUDO_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
