"""What goes wrong outside of the program is one line that says what and how to mend it, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.crash import cli_environment, run_cli
from tests.support.in_process import run_here


def assert_one_line(answer: subprocess.CompletedProcess[str], code: int, *said: str) -> None:
    assert answer.returncode == code, answer.stderr
    assert answer.stderr.count("\n") == 1, answer.stderr
    for text in said:
        assert text in answer.stderr


@pytest.mark.parametrize("command", [["dataset", "list", "--json"], ["dataset", "list"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_one_line(command: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "tidzam_platform.cli", *command],
            env=cli_environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert_one_line(answer, 1, "No space left", "free some space")


def test_what_the_system_refuses_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "locks").touch()
    (tmp_path / "labels.csv").write_text("file,label\na.wav,rain\n")
    answer = run_here(["dataset", "import", tmp_path / "labels.csv"], tmp_path)
    assert_one_line(answer, 1, str(tmp_path / "locks"), "exists")


def test_a_home_that_is_a_file_or_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for home in (file, file / "home"):
        answer = run_here(["dataset", "list"], tmp_path, env={"TIDZAM_HOME": str(home)})
        assert_one_line(answer, 2, str(home), "a file stands there", "--home")
    answer = run_here(["dataset", "list"], tmp_path, env={"TIDZAM_HOME": "/proc/nope"})
    assert_one_line(answer, 2, "/proc/nope", "cannot be made", "--home")
    answer = run_here(["serve"], tmp_path, env={"TIDZAM_HOME": "/proc/nope"})
    assert_one_line(answer, 2, "/proc/nope", "cannot be made")


def test_an_empty_name_is_no_home(tmp_path: Path) -> None:
    answer = run_here(["--home", "", "dataset", "list"], tmp_path)
    assert answer.returncode == 2
    assert "empty name" in answer.stderr


@pytest.mark.parametrize("url", ["mysql://x/y", "://", "postgresql://x:port/y", "postgresql+asyncpg://x/y"])
def test_a_catalog_that_is_not_supported_is_a_wrong_setting(url: str, tmp_path: Path) -> None:
    answer = run_here(["dataset", "list"], tmp_path, env={"TIDZAM_DATABASE_URL": url})
    assert_one_line(answer, 2, "TIDZAM_DATABASE_URL", "sqlite:///", "postgresql://")
    checked = run_here(["check", "--json"], tmp_path, env={"TIDZAM_DATABASE_URL": url})
    assert "TIDZAM_DATABASE_URL" in checked.stdout


def test_a_file_that_is_not_there_by_a_name_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    answer = run_cli(
        ["audio", "probe", os.fsdecode(bytes(tmp_path / "no") + b"\xff[/x]"), "--json"], tmp_path
    )
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert "\\udcff[/x]" in answer.stdout


def test_who_only_asks_is_told_that_the_home_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    answer = run_here(["status"], tmp_path, env={"TIDZAM_HOME": str(file)})
    assert_one_line(answer, 2, str(file), "a file stands there", "TIDZAM_HOME")


@pytest.mark.parametrize(
    "arguments",
    [
        ["token", "create", "--role", "listen", "--name", ""],
        ["token", "create", "--role", "listen", "--name="],
        ["detections", "export", "--output", ""],
        ["detections", "list", "--class", "birds", "--class", " "],
        ["bench", "live", "--out", ""],
    ],
)
def test_an_empty_option_is_refused_and_changes_nothing(arguments: list[str], tmp_path: Path) -> None:
    answer = run_here(arguments, tmp_path / "home")
    assert answer.returncode == 2
    assert not (tmp_path / "home" / "secrets").exists()
    if arguments[0] != "bench":
        assert "an empty value says nothing" in answer.stderr


def test_a_default_may_be_empty(tmp_path: Path) -> None:
    answer = run_here(["token", "create", "--role", "listen"], tmp_path / "home")
    assert answer.returncode == 0, answer.stderr
