"""``./tidzam check`` tells what is there, what is missing, and how to mend it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.crash import run_cli
from tests.support.parts import require_part
from tidzam_platform.operations.system_parts import PARTS


def _check(home: Path, **env: str) -> tuple[int, dict[str, dict[str, Any]]]:
    finished = run_cli(["check", "--json"], home, env=env)
    answer = json.loads(finished.stdout.splitlines()[-1])
    assert answer["ok"] == (finished.returncode == 0), finished.stderr
    return finished.returncode, {finding["name"]: finding for finding in answer["findings"]}


def test_all_is_well_where_all_that_is_needed_is_there(tmp_path: Path) -> None:
    require_part("ffmpeg")
    code, findings = _check(tmp_path)
    assert code == 0
    assert {finding["name"] for finding in findings.values() if finding["needed"]} == {
        "Python",
        "environment",
        "ffmpeg",
        "data folder",
        "catalog",
        "store",
    }
    assert {part.name for part in PARTS} < set(findings)
    assert not (tmp_path / "catalog.db").exists(), "looking makes nothing"
    assert not (tmp_path / "store").exists()


def test_missing_parts_come_with_the_command_that_installs_them_and_ffmpeg_is_needed(tmp_path: Path) -> None:
    code, findings = _check(tmp_path, PATH=str(tmp_path))
    assert code == 1
    ffmpeg, mpv = findings["ffmpeg"], findings["mpv"]
    assert (ffmpeg["ok"], ffmpeg["needed"]) == (False, True)
    assert (mpv["ok"], mpv["needed"]) == (False, False)
    assert ffmpeg["remedy"].endswith("ffmpeg")
    assert mpv["without"]


def test_the_table_says_the_same_to_people(tmp_path: Path) -> None:
    shown = run_cli(["check"], tmp_path, env={"PATH": str(tmp_path)})
    assert shown.returncode == 1
    assert "MISSING" in shown.stdout
    assert "works without" in shown.stdout
    assert "something that is needed is missing" in shown.stdout


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda home: (home / "tidzam.toml").write_text("hoem = 1"), "settings"),
        (lambda home: (home / "catalog.db").write_bytes(b"no database" * 100), "catalog"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path, make: Any, name: str) -> None:
    make(tmp_path)
    code, findings = _check(tmp_path)
    assert code == 1
    assert not findings[name]["ok"]
    assert findings[name]["remedy"]


def test_a_home_in_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, findings = _check(tmp_path, TIDZAM_HOME=str(tmp_path / "file" / "home"))
    assert code == 1
    assert not findings["settings"]["ok"]
    assert str(tmp_path / "file") in findings["settings"]["remedy"]


def test_a_catalog_that_opens_is_shown_without_its_password(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.db").close()
    _, findings = _check(tmp_path, TIDZAM_DATABASE_URL=f"sqlite:///{tmp_path}/other.db")
    assert findings["catalog"]["ok"]
    unreachable = "postgresql://anna:secret@127.0.0.1:1/tidzam"
    code, findings = _check(tmp_path, TIDZAM_DATABASE_URL=unreachable)
    assert code == 1
    assert not findings["catalog"]["ok"]
    assert "secret" not in json.dumps(findings)
