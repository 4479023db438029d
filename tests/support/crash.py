"""Running the command line as its users do, in a process of its own, and killing it at named points."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidzam_platform.settings import CONFIG_FILE_VARIABLE

DEADLINE_S = 120.0
# TOML of the section s3: homes that have no file of settings yet get a store of their own there (test_on_s3.py).
S3_VARIABLE = "TIDZAM_TEST_S3"


def cli_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without the caller's TIDZAM_* and configuration file, with ``home`` as data folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TIDZAM_")}
    config = home / "tidzam.toml"
    if (server := os.environ.get(S3_VARIABLE)) and not config.exists():
        home.mkdir(parents=True, exist_ok=True)
        config.write_text(f'store = "s3://tidzam-tests/t/{secrets.token_hex(6)}"\n{server}')
    return {
        **kept,
        "TIDZAM_HOME": str(home),
        CONFIG_FILE_VARIABLE: str(config) if config.exists() else os.devnull,
        "PYTHONWARNINGS": "default",
        **(extra or {}),
    }


def run_cli(
    arguments: Sequence[str | Path],
    home: Path,
    *,
    env: Mapping[str, str] | None = None,
    deadline_s: float = DEADLINE_S,
) -> subprocess.CompletedProcess[str]:
    """Run ``./tidzam ARGUMENTS`` on the data folder ``home``; captures text output, accepts any exit code.

    Raises:
        subprocess.TimeoutExpired: it was still running after ``deadline_s`` (it has been killed then).
    """
    return subprocess.run(
        [sys.executable, "-m", "tidzam_platform.cli", *map(str, arguments)],
        env=cli_environment(home, env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


def run_and_crash(
    arguments: Sequence[str | Path],
    crash_at: str,
    home: Path,
    *,
    env: Mapping[str, str] | None = None,
    deadline_s: float = DEADLINE_S,
) -> subprocess.CompletedProcess[str]:
    """Like ``run_cli``, killed with SIGKILL at the crash point ``crash_at`` (``name`` or ``name:3``).

    Fails if the process did not get there: a promise about a point that is never reached would be empty.
    """
    finished = run_cli(
        arguments, home, env={**(env or {}), "TIDZAM_CRASH_AT": crash_at}, deadline_s=deadline_s
    )
    assert finished.returncode == -signal.SIGKILL, (
        f"{crash_at} was not reached: exit code {finished.returncode}\n{finished.stdout}\n{finished.stderr}"
    )
    return finished
