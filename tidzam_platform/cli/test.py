"""``./tidzam test``: the project's own tests."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

from tidzam_platform.errors import SetUpError
from tidzam_platform.operations import stamp
from tidzam_platform.operations.server_environment import (
    CLUSTER,
    S3_SERVERS,
    prepare_server_environment,
)
from tidzam_platform.operations.set_up import set_up
from tidzam_platform.operations.system_parts import PARTS
from tidzam_platform.settings import PROJECT_ROOT

_EXTRA = "test"
_MOST_JOBS = 4  # each may hold a gigabyte of TensorFlow


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.option("--long", "with_long", is_flag=True, help="Run the tests too slow for every day as well.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="How many processes share the tests (default: one more than processors, at most 4; 1 for a debugger).",
)
@click.option("--prepare", is_flag=True, help="Only install what the tests need.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(with_long: bool, jobs: int | None, prepare: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run the tests; what they need beyond a user's system is installed where that is allowed.

    That is: PostgreSQL and other Debian packages, and servers of S3 in an environment of their own; with
    --long Ray, too.

    All other arguments go to pytest, which runs in the project's folder; its exit code is ours. Tests that
    need a missing part of the system are skipped and counted at the end, or fail if
    TIDZAM_TEST_REQUIRE_PARTS=1.

    \b
    Examples:
      ./tidzam test
      ./tidzam test --long
      ./tidzam test tests/audio -k holes
      ./tidzam test --jobs 1 --pdb tests/audio
    """
    _prepare(with_ray=with_long)
    if prepare:
        return
    # Before the caller's arguments: an -m of theirs wins.
    chosen = [] if with_long else ["-m", "not long"]
    # One more than there are processors: tests wait for processes of theirs as often as they compute.
    jobs = jobs or min((os.cpu_count() or 1) + 1, _MOST_JOBS)
    if jobs > 1:
        chosen += ["--numprocesses", str(jobs), "--dist", "worksteal"]
    os.chdir(PROJECT_ROOT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *chosen, *pytest_arguments])  # noqa: S606


def _prepare(*, with_ray: bool) -> None:
    """Install the tests' packages and system parts into an environment that ./tidzam made."""
    root = str(PROJECT_ROOT)
    is_ours = os.path.realpath(sys.prefix) == os.path.realpath(PROJECT_ROOT / stamp.VENV)
    if stamp.is_ready(root, (_EXTRA,), tuple(part.name for part in PARTS)):
        pass
    elif stamp.read_stamp(root) and is_ours:
        set_up(PROJECT_ROOT, extras=[_EXTRA], parts=PARTS)
    elif importlib.util.find_spec("pytest") is None:
        raise SetUpError(
            f"{sys.prefix} has no pytest, and was not made by ./tidzam: "
            "call ./tidzam test, or install the project's extra 'test' there"
        )
    if is_ours and stamp.read_stamp(root):
        for environment in [S3_SERVERS, *([CLUSTER] if with_ray else [])]:
            prepare_server_environment(PROJECT_ROOT, environment)
