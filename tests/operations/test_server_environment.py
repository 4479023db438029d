"""The environment of the tests' servers: made once beside the project's own, and anew when it has to be."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tidzam_platform.operations import stamp
from tidzam_platform.operations.server_environment import (
    CLUSTER,
    S3_SERVERS,
    TestEnvironment,
    prepare_server_environment,
    server_python,
)
from tidzam_platform.settings import PROJECT_ROOT

FOLDER, PINS = S3_SERVERS.folder, S3_SERVERS.pins


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose servers need no packages."""
    monkeypatch.setenv("TIDZAM_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / PINS).write_text("# nothing\n")
    return folder


def test_it_is_made_once_and_anew_when_other_packages_are_wanted(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert server_python(root) is None
    prepare_server_environment(root)
    made = server_python(root)
    assert made is not None
    assert made.is_relative_to(root / FOLDER)
    assert FOLDER in capfd.readouterr().err
    (root / FOLDER / "mark").touch()
    prepare_server_environment(root)
    assert (root / FOLDER / "mark").exists()
    assert capfd.readouterr().err == "", "nothing is to do"
    (root / PINS).write_text("# other\n")
    assert server_python(root) is None
    prepare_server_environment(root)
    assert server_python(root) == made
    assert not (root / FOLDER / "mark").exists()


def test_what_a_killed_call_left_is_made_anew(root: Path) -> None:
    (root / FOLDER / "bin").mkdir(parents=True)
    (root / FOLDER / "half").touch()
    prepare_server_environment(root)
    assert server_python(root) is not None
    assert not (root / FOLDER / "half").exists()


def test_one_that_was_moved_is_of_no_use(root: Path) -> None:
    prepare_server_environment(root)
    moved = root.rename(root.with_name("moved"))
    assert server_python(moved) is None


def test_where_packages_cannot_be_had_it_is_said_and_the_other_tests_can_run(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / PINS).write_text(f"nothing @ file://{root}/not-there.whl\n")
    prepare_server_environment(root)
    assert server_python(root) is None
    assert "tests on S3 are skipped" in capfd.readouterr().err


def test_one_that_sees_our_packages_has_its_own_beside_them(root: Path) -> None:
    (root / CLUSTER.pins).write_text("# nothing\n")
    prepare_server_environment(root, CLUSTER)
    python = server_python(root, CLUSTER)
    assert python is not None
    asked = [python, "-c", "import sys, click; print(sys.prefix)"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(root / CLUSTER.folder)
    assert server_python(root) is None, "the other one is not made by this"


@pytest.mark.parametrize("environment", [S3_SERVERS, CLUSTER], ids=lambda one: one.folder)
def test_all_packages_are_pinned_and_none_differs_from_ours_without_need(
    environment: TestEnvironment,
) -> None:
    lines = (PROJECT_ROOT / environment.pins).read_text().splitlines()
    wanted = [line.partition("#")[0].strip() for line in lines if line and not line.startswith("#")]
    assert all("==" in line for line in wanted)
    ours = (PROJECT_ROOT / "constraints.txt").read_text()
    pinned = dict(line.partition("#")[0].strip().split("==") for line in ours.splitlines() if "==" in line)
    differ = [
        line for line in wanted if pinned.get(line.split("==")[0], line.split("==")[1]) != line.split("==")[1]
    ]
    assert differ == []


def test_the_stamp_says_what_it_was_made_of(root: Path) -> None:
    prepare_server_environment(root)
    known = json.loads((root / FOLDER / stamp.STAMP).read_text())
    assert set(known) == {"root", "interpreter", "packages"}
