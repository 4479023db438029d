"""Temporary files of the tests lie in memory where there is room, and none stay behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support import temporary_folder
from tests.support.temporary_folder import PREFIX, make_in_memory


@pytest.fixture(autouse=True)
def _little_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_folder, "FILES_BYTES", 1)
    monkeypatch.setattr(temporary_folder, "PROCESSES_BYTES", 1)


def test_a_folder_of_this_process_and_what_killed_ones_left_goes(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(30)
    running, other = psutil.Process().ppid(), "tidzam-0"
    for name in (f"{PREFIX}{ended.pid}", f"{PREFIX}{running}", other):
        (tmp_path / name / "deep").mkdir(parents=True)
    folder = make_in_memory(tmp_path)
    assert folder == tmp_path / f"{PREFIX}{os.getpid()}"
    assert {one.name for one in tmp_path.iterdir()} == {folder.name, f"{PREFIX}{running}", other}


@pytest.mark.parametrize("bound", ["FILES_BYTES", "PROCESSES_BYTES"])
def test_none_where_there_is_too_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(temporary_folder, bound, 1 << 60)
    assert make_in_memory(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_none_where_there_is_no_such_file_system(tmp_path: Path) -> None:
    assert make_in_memory(tmp_path / "absent") is None
