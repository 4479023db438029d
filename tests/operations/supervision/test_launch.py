"""Launch files: a new revision when a process must start again; what they describe is what runs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidzam_platform.operations.supervision.launch_files import LaunchFiles
from tidzam_platform.operations.supervision.probes import HttpProbe
from tidzam_platform.operations.supervision.table import ProcessDefinition

LAUNCH = [sys.executable, "-P", "-m", "tidzam_platform.operations.supervision.launch"]


def _definition(*options: str, **settings: Any) -> ProcessDefinition:
    return ProcessDefinition(
        "web", (sys.executable, "-c", *options), HttpProbe("127.0.0.1", 1, "/"), settings=settings
    )


def test_the_revision_changes_with_command_and_settings_and_with_nothing_else(tmp_path: Path) -> None:
    files = LaunchFiles(tmp_path / "processes")
    first = files.write(_definition("1", port=1), {"TIDZAM_HOME": "/a"}, tmp_path)
    assert files.write(_definition("1", port=1), {"TIDZAM_HOME": "/a"}, tmp_path) == first
    same = files.write(_definition("1", port=1), {"TIDZAM_HOME": "/b"}, tmp_path / "elsewhere")
    assert same == first
    assert json.loads(same.read_text())["environment"] == {"TIDZAM_HOME": "/b"}
    other_settings = files.write(_definition("1", port=2), {}, tmp_path)
    other_command = files.write(_definition("2", port=2), {}, tmp_path)
    assert len({first, other_settings, other_command}) == 3
    assert first.exists(), "a process that is started again just now still finds it"
    files.forget_old()
    assert sorted((tmp_path / "processes").glob("*.json")) == [other_command]


def test_a_damaged_file_gets_a_new_revision(tmp_path: Path) -> None:
    files = LaunchFiles(tmp_path / "processes")
    first = files.write(_definition("1"), {}, tmp_path)
    first.write_text('{"command": ')
    assert files.write(_definition("1"), {}, tmp_path) != first


def test_nobody_else_may_look_into_them(tmp_path: Path) -> None:
    path = LaunchFiles(tmp_path / "processes").write(
        _definition("1"), {"TIDZAM_DATABASE_URL": "secret"}, tmp_path
    )
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


PROGRAM = """
import json, os, signal, sys
print(json.dumps({
    "environment": dict(os.environ), "folder": os.getcwd(), "arguments": sys.argv,
    "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
}))
"""


def test_it_becomes_the_program_with_that_environment_and_no_other_setting(tmp_path: Path) -> None:
    odd = "a'b\"c %(x)s;\n#"
    (tmp_path / "home").mkdir()
    path = LaunchFiles(tmp_path / "processes").write(
        _definition(PROGRAM, odd), {"TIDZAM_HOME": odd}, tmp_path / "home"
    )
    run = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *LAUNCH, str(path)],  # as a shell starts background jobs
        env={**os.environ, "TIDZAM_WEB__PORT": "1", "TIDZAM_HOME": "/elsewhere", "KEPT": "yes"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    seen = json.loads(run.stdout)
    assert seen["arguments"][-1] == odd
    assert seen["folder"] == str(tmp_path / "home")
    assert seen["int"], "Ctrl-C is heard"
    assert {key: value for key, value in seen["environment"].items() if key.startswith("TIDZAM_")} == {
        "TIDZAM_HOME": odd
    }
    assert seen["environment"]["KEPT"] == "yes"


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"command": ["/nowhere/python"], "environment": {}, "folder": "/"}',
        '{"command": ["/bin/true"], "environment": {}, "folder": "/nowhere"}',
    ],
)
def test_what_cannot_be_started_is_one_line_in_the_log(tmp_path: Path, document: str) -> None:
    (tmp_path / "web.1.json").write_text(document)
    run = subprocess.run(
        [*LAUNCH, str(tmp_path / "web.1.json")], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 127
    assert len(run.stderr.splitlines()) == 1
    assert "web.1.json" in run.stderr
