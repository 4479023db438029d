"""``./tidzam test`` runs pytest as the project wants it, and passes on what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.crash import run_cli

_TESTS = """
import pathlib, pytest

def test_quick():
    assert pathlib.Path("pyproject.toml").exists(), "runs in the project's folder"

@pytest.mark.long
def test_slow():
    pass

def test_other():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "test_made.py"
    file.write_text(_TESTS)
    return file


@pytest.mark.parametrize(
    ("options", "summary"),
    [
        ([], "2 passed, 1 deselected"),
        (["--long"], "3 passed"),
        (["-k", "quick"], "1 passed, 2 deselected"),
        (["-m", "long"], "1 passed, 2 deselected"),
    ],
)
def test_long_tests_run_only_when_asked_for(suite: Path, options: list[str], summary: str) -> None:
    finished = run_cli(["test", "--jobs", "1", str(suite), "-p", "no:cacheprovider", *options], suite.parent)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert summary in finished.stdout.splitlines()[-1], "the summary is the last line"


def test_several_processes_share_the_tests(suite: Path) -> None:
    finished = run_cli(["test", "--jobs", "2", str(suite), "-p", "no:cacheprovider"], suite.parent)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "2 workers" in finished.stdout
    assert "2 passed" in finished.stdout.splitlines()[-1]


def test_the_exit_code_is_pytests(suite: Path) -> None:
    suite.write_text("def test_fails():\n    assert False\n")
    assert run_cli(["test", str(suite), "-p", "no:cacheprovider"], suite.parent).returncode == 1
    assert run_cli(["test", str(suite), "-k", "nothing"], suite.parent).returncode == 5


def test_help_is_ours() -> None:
    shown = run_cli(["test", "--help"], Path.cwd())
    assert "./tidzam test --long" in shown.stdout
