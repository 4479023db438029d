"""Answers, tables, remarks and progress: names from anywhere are shown as they are and break nothing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tidzam_platform.cli import output

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["[/x].opus", "q[red]w.opus", "[/b]g", ":cat:.opus", "a\\[b].wav", "{0}%s"]


def printed(show: Callable[[], None]) -> tuple[str, str]:
    """What ``show`` writes to standard output and to standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        show()
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_a_name_is_markup(name: str) -> None:
    assert printed(lambda: output.remarks.print(name, style="red"))[1] == f"{name}\n"
    assert printed(lambda: output.print_line(name))[0] == f"{name}\n"
    out, _ = printed(lambda: output.print_table(f"title {name}", ["column"], [[f"cell {name}"]]))
    assert f"title {name}" in out
    assert f"cell {name}" in out


@pytest.mark.parametrize("terminal", ["", "dumb", "xterm"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_the_name_of_a_progress_bar_is_markup(
    name: str, terminal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", terminal)
    console = Console(stderr=True, force_terminal=bool(terminal), width=200, markup=False, emoji=False)
    monkeypatch.setattr(output.remarks, "console", console)

    def show() -> None:
        with output.progress_bar(f"hearing {name}", 3) as progress:
            progress(2)

    assert f"hearing {name}" in printed(show)[1]


def test_a_remark_is_one_line_however_long() -> None:
    text = "unusable: " + "a long path/" * 40
    assert printed(lambda: output.remarks.print(text))[1] == f"{text}\n"


def test_what_would_command_a_terminal_is_shown_as_an_escape() -> None:
    assert output.shown("a\x1b[2Jb\x9b\r\x07") == "a\\x1b[2Jb\\x9b\\x0d\\x07"
    assert output.shown("é\t日\n") == "é\t日\n"


def test_a_name_that_is_not_utf_8_is_shown_and_breaks_no_table() -> None:
    name = os.fsdecode(b"\xff.opus")
    out, _ = printed(lambda: output.print_table("", ["file"], [[name]]))
    assert "\\udcff.opus" in out
    assert out.encode()


@given(st.binary())
def test_json_is_utf_8_and_gives_names_back_that_are_not(raw: bytes) -> None:
    out, _ = printed(lambda: output.print_json({"file": os.fsdecode(raw)}))
    assert out.count("\n") == 1
    assert os.fsencode(json.loads(out.encode())["file"]) == raw


def test_only_the_shared_module_prints_with_rich() -> None:
    """Rich takes markup for granted; who goes around ``output`` would have to think of every name again."""
    users = {
        str(path.relative_to(ROOT))
        for room in ("tidzam_platform", "serving", "assets", "streamer")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"^\s*(from|import) rich\b", path.read_text(), re.MULTILINE)
    }
    pictures = {"streamer/cli/spectrogram_view.py"}  # names in it are Text, which has no markup
    assert users == {"tidzam_platform/cli/output.py"} | pictures


def test_no_remark_is_written_with_markup() -> None:
    """It would be shown as it stands."""
    files = [
        path for room in ("tidzam_platform", "serving", "assets") for path in (ROOT / room).rglob("*.py")
    ]
    remarks = [found for path in files for found in re.findall(r"remarks\.print\(\s*.*", path.read_text())]
    assert len(remarks) > 10
    assert [one for one in remarks if re.search(r"""["']\[/?[a-z ]+\]""", one)] == []
