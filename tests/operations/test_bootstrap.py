"""``./tidzam`` on a fresh clone: sets up once, hands over, says what is missing."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny_project import TinyProject, finish, make_tiny_project
from tidzam_platform.operations.system_parts import USER_PARTS
from tidzam_platform.settings import PROJECT_ROOT

RUN_BY_OLD_PYTHONS = (
    "tidzam",
    "tidzam_platform/__init__.py",
    "tidzam_platform/operations/__init__.py",
    "tidzam_platform/operations/stamp.py",
    "tidzam_platform/cli/__init__.py",
    "tidzam_platform/cli/help_page.py",
)
PRETEND_PYTHON_3_10 = """
import runpy, sys
sys.version_info = (3, 10, 0, "final", 0)
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_the_first_call_sets_up_and_hands_the_arguments_and_the_exit_code_over(project: TinyProject) -> None:
    first = project.run("archive", "index", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == {
        "arguments": ["archive", "index", "--json"],
        "prefix": str(project.venv),
        "version": "1.0",
    }
    assert project.run("fail").returncode == 7


def test_without_a_uv_that_runs_pip_installs_the_packages(tmp_path: Path) -> None:
    project = make_tiny_project(tmp_path)
    project.put_script_on_path("uv", "echo 'shim: uv: no such program' >&2; exit 127")
    first = project.run("x")
    assert first.returncode == 0, first.stderr
    assert "pip takes its place" in first.stderr
    assert project.builds() == 1


def test_where_uv_fails_pip_takes_over_and_that_is_said(tmp_path: Path) -> None:
    project = make_tiny_project(tmp_path)
    project.put_script_on_path("uv", '[ "$1" = --version ] || { echo "no such index"; exit 1; }')
    first = project.run("x")
    assert first.returncode == 0, first.stderr
    assert "uv did not succeed (no such index); trying pip" in first.stderr


def test_the_second_call_says_nothing_and_installs_nothing(project: TinyProject) -> None:
    project.run("x")
    second = project.run("--version")
    assert second.stderr == ""
    assert project.builds() == 1


def test_the_second_call_loads_nothing_that_only_a_set_up_needs(project: TinyProject) -> None:
    project.run("x")
    again = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", str(project.root / "tidzam"), "x"],
        env=project.environment(),
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in again.stderr.splitlines() if "import time:" in line}
    assert "tidzam_platform.operations.stamp" in loaded
    assert not loaded & {"argparse", "email", "http.client", "importlib.metadata", "logging", "tempfile"}
    ours = {name for name in loaded if name.startswith("tidzam_platform.")}
    assert ours == {"tidzam_platform.operations", "tidzam_platform.operations.stamp"}


def test_a_change_of_the_requirements_is_installed_by_the_next_call(project: TinyProject) -> None:
    project.run("x")
    project.write_pyproject(version="2.0")
    changed = project.run("x")
    assert json.loads(changed.stdout)["version"] == "2.0"
    assert "making .venv" not in changed.stderr
    assert project.run("x").stderr == ""


def test_steps_are_one_line_each_where_nobody_watches(project: TinyProject) -> None:
    errors = project.run("x").stderr
    assert "\r" not in errors
    assert "\033" not in errors
    steps = [line for line in errors.splitlines() if " ... " in line]
    assert all(line.startswith("tidzam: ") and line.endswith(" s") for line in steps)
    assert 1 < len(steps) < 6


def test_a_failed_install_shows_the_end_of_its_log_and_the_next_call_tries_again(
    project: TinyProject,
) -> None:
    project.write_pyproject(dependencies=("no-such-package-of-tidzam",))
    failed = project.run("x")
    assert failed.returncode == 1
    assert "no-such-package-of-tidzam" in failed.stderr
    assert "Traceback" not in failed.stderr
    log = project.root / "var" / "logs" / "set-up.log"
    assert str(log) in failed.stderr
    assert "no-such-package-of-tidzam" in log.read_text()
    project.write_pyproject()
    assert project.run("x").returncode == 0


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_on_a_fresh_clone_needs_no_set_up(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    project = make_tiny_project(tmp_path)
    page = project.run(*arguments)
    assert page.returncode == 0
    assert "./tidzam demo" in page.stdout
    assert "Nothing is installed yet" in page.stdout
    assert not project.venv.exists()


@pytest.mark.parametrize("name", RUN_BY_OLD_PYTHONS)
def test_what_runs_before_the_version_is_known_parses_on_python_3_6(name: str) -> None:
    ast.parse((PROJECT_ROOT / name).read_text(), feature_version=(3, 6))


def test_a_python_that_does_not_fit_is_named_with_what_to_do(tmp_path: Path) -> None:
    project = make_tiny_project(tmp_path)
    refused = _run_pretending(project)
    assert refused.returncode == 1
    assert "needs Python 3.11 to 3.13, and this is 3.10" in refused.stderr
    assert "apt-get install python3.11 python3.11-venv" in refused.stderr


def test_a_python_that_fits_is_found_under_its_own_name(project: TinyProject) -> None:
    base = Path(os.path.realpath(sys.executable))
    (project.path / f"python3.{sys.version_info.minor}").symlink_to(base)
    handed_over = _run_pretending(project)
    assert handed_over.returncode == 0, handed_over.stderr
    assert json.loads(handed_over.stdout)["prefix"] == str(project.venv)


def test_the_bootstrap_needs_only_the_standard_library() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import tidzam_platform.operations.set_up"
    subprocess.run([sys.executable, "-I", "-S", "-c", program, PROJECT_ROOT], check=True, timeout=30)


def test_missing_system_parts_are_named_once_with_the_command_that_installs_them(
    project: TinyProject,
) -> None:
    project.put_script_on_path("apt-get", "exit 1")
    errors = project.run("x").stderr
    for part in USER_PARTS:
        assert f"{part.name}: for {part.needed_for}; without it: {part.without}" in errors
    packages = " ".join(part.package for part in USER_PARTS)
    assert f"apt-get install --no-install-recommends {packages}" in errors
    assert "./tidzam check --install" in errors
    assert project.run("x").stderr == ""


def test_a_user_without_rights_gets_an_environment_and_is_told_what_root_must_install(
    open_project: TinyProject, nobody_python: str
) -> None:
    open_project.put_script_on_path("apt-get", "exit 1")
    open_project.put_script_on_path("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    environment = {"TIDZAM_INSTALL_PARTS": ""}
    first = open_project.run("x", python=nobody_python, user="nobody", env=environment)
    assert first.returncode == 0, first.stderr
    assert "only root may install them, and sudo wants a password" in first.stderr
    assert "install: sudo apt-get install --no-install-recommends ffmpeg mpv" in first.stderr
    assert open_project.run("x", python=nobody_python, user="nobody", env=environment).stderr == ""


def test_a_folder_that_cannot_be_written_is_named(open_project: TinyProject, nobody_python: str) -> None:
    shutil.chown(open_project.root, "root")
    refused = open_project.run("x", python=nobody_python, user="nobody")
    assert refused.returncode == 1
    assert f"{open_project.root} cannot be written (Permission denied)" in refused.stderr


def test_another_user_can_use_what_its_owner_set_up(open_project: TinyProject, nobody_python: str) -> None:
    shutil.chown(open_project.root, "root")
    assert open_project.run("x", python=nobody_python).returncode == 0
    used = open_project.run("x", python=nobody_python, user="nobody")
    assert (used.returncode, used.stderr) == (0, "")


def _run_pretending(project: TinyProject) -> subprocess.CompletedProcess[str]:
    return finish(
        subprocess.Popen(
            [sys.executable, "-c", PRETEND_PYTHON_3_10, str(project.root / "tidzam"), "x"],
            env=project.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
