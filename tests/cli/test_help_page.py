"""``./tidzam --help`` is complete, quick, and the same before and after the set-up."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.support.crash import run_cli
from tidzam_platform.cli import help_page
from tidzam_platform.cli.main import COMMANDS_GROUP


def test_every_command_stands_once_on_the_page() -> None:
    listed = [name for _, commands in help_page.COMMANDS for name, _ in commands]
    assert sorted(listed) == sorted(point.name for point in entry_points(group=COMMANDS_GROUP))


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_page_explains_what_this_is_and_where_to_begin(tmp_path: Path, arguments: list[str]) -> None:
    shown = run_cli(arguments, tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(help_page.text())
    assert "--home" in shown.stdout


def test_the_page_fits_a_terminal() -> None:
    assert max(len(line) for line in (help_page.text() + help_page.BEFORE_SET_UP).splitlines()) <= 110


def test_the_page_imports_no_command() -> None:
    program = (
        "import sys; from tidzam_platform.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not [name for name in sys.modules if name.startswith(('serving', 'assets', 'sqlalchemy'))]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, stdout=subprocess.DEVNULL)
