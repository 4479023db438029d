"""Steps: what is shown while programs run, and what becomes of programs that fail, hang or are interrupted."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tidzam_platform.errors import SetUpError
from tidzam_platform.operations.steps import StepFailedError, Steps


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def steps(tmp_path: Path, screen: io.StringIO) -> Iterator[Steps]:
    with closing(Steps(tmp_path / "logs" / "set-up.log", screen=screen)) as made:
        yield made


def _python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_the_output_of_programs_goes_to_the_log_and_not_to_the_screen(
    steps: Steps, screen: io.StringIO, tmp_path: Path
) -> None:
    with steps.step("saying something"):
        steps.run(_python("import sys; print('out'); print('err', file=sys.stderr)"), deadline_s=30)
    assert screen.getvalue() == "tidzam: saying something ... 0 s\n"
    log = (tmp_path / "logs" / "set-up.log").read_text()
    assert "out\n" in log
    assert "err\n" in log


def test_a_failure_tells_the_command_the_exit_code_the_end_of_the_output_and_where_the_rest_is(
    steps: Steps, screen: io.StringIO, tmp_path: Path
) -> None:
    program = "import sys; [print('line', n) for n in range(100)]; sys.exit(3)"
    with pytest.raises(StepFailedError) as failed, steps.step("failing"):
        steps.run(_python(program), deadline_s=30)
    message = str(failed.value)
    assert message.startswith(sys.executable)
    assert "exit code 3" in message
    assert "| line 99\n" in message
    assert "line 50\n" not in message
    assert str(tmp_path / "logs" / "set-up.log") in message
    assert failed.value.reason == "line 99"
    assert screen.getvalue() == "tidzam: failing ... failed\n"


def test_a_failure_shows_no_output_of_earlier_programs(steps: Steps) -> None:
    steps.run(_python("print('of the first')"), deadline_s=30)
    with pytest.raises(StepFailedError) as failed:
        steps.run(_python("raise SystemExit(1)"), deadline_s=30)
    assert "of the first" not in str(failed.value)
    assert failed.value.reason == "failed with exit code 1"


def test_a_program_that_cannot_be_started_is_named(steps: Steps, tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="no-such-program cannot be started"):
        steps.run([tmp_path / "no-such-program"], deadline_s=30)


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(
    steps: Steps, tmp_path: Path
) -> None:
    note = tmp_path / "grandchild"
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    with pytest.raises(StepFailedError, match="did not end within 2 s"):
        steps.run(_python(program), deadline_s=2)
    grandchild = Path("/proc", note.read_text())
    wait_for(lambda: not _runs(grandchild), "the grandchild is gone")


def test_text_reaches_the_programs_standard_input(steps: Steps, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    steps.run(["tee", copy], text="some text\n", deadline_s=30)
    assert copy.read_text() == "some text\n"


@pytest.mark.parametrize("must_finish", [False, True])
def test_ctrl_c_ends_a_program_unless_half_its_work_would_do_damage(
    steps: Steps, screen: io.StringIO, tmp_path: Path, must_finish: bool
) -> None:
    begun, done = tmp_path / "begun", tmp_path / "done"
    program = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(1)"
    program += f"; pathlib.Path({str(done)!r}).touch()"
    interrupter = threading.Thread(target=_interrupt_when, args=(begun,))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt), steps.step("working"):
        steps.run(_python(program), deadline_s=30, must_finish=must_finish)
    interrupter.join()
    assert done.exists() == must_finish
    assert screen.getvalue().endswith("stopped\n")


def test_on_a_terminal_the_step_the_time_and_the_last_line_of_the_program_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    program = "import time; print('fetching tensorflow', flush=True); time.sleep(1)"
    ours, theirs = pty.openpty()
    read: list[bytes] = []
    with os.fdopen(ours, "rb", buffering=0) as master:
        reader = threading.Thread(target=_read_to_the_end, args=(master, read))  # a terminal holds 4 kB only
        reader.start()
        with (
            os.fdopen(theirs, "w") as terminal,
            closing(Steps(tmp_path / "log", screen=terminal)) as steps,
            steps.step("installing"),
        ):
            steps.run(_python(program), deadline_s=30)
        reader.join()
    shown = b"".join(read).decode()
    assert "0 s  fetching tensorflow" in shown
    assert "\r\033[K" in shown
    assert re.search(r"tidzam: installing \.\.\. [1-9][0-9]* s$", shown.rstrip())


def _read_to_the_end(master: io.RawIOBase, read: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # Linux's way of saying that the other end was closed
        while block := master.read(1 << 16):
            read.append(block)


def test_a_log_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetUpError, match="set TIDZAM_HOME elsewhere"):
        Steps(tmp_path / "file" / "set-up.log")


def _interrupt_when(begun: Path) -> None:
    end_s = time.monotonic() + 20
    while not begun.exists() and time.monotonic() < end_s:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def _runs(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
