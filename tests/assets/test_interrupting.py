"""Ctrl-C and SIGTERM while a job runs: at once, in words, with the exit code of shells."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assets.jobs import INDEX_ARCHIVE
from assets.running import run_job
from tests.support.crash import cli_environment
from tests.support.small_site import TINY_TRAINING, TrainedHome
from tests.support.waiting import wait_for
from tidzam_platform.settings import Settings


@pytest.mark.parametrize("heard", ["decoding", "epoch 1 "])
def test_ctrl_c_stops_a_training_without_a_traceback(trained_copy: TrainedHome, heard: str) -> None:
    another = {**TINY_TRAINING, "TIDZAM_TRAINING__SEED": "7", "TIDZAM_TRAINING__MAX_EPOCHS": "400"}
    log = trained_copy.folder / "stderr"
    command = [sys.executable, "-m", "tidzam_platform.cli", "generation", "run"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command, env=cli_environment(trained_copy.folder, another), stderr=stderr
        ) as process,
    ):
        try:
            wait_for(lambda: heard in log.read_text() or process.poll() is not None, heard, 60)
            process.send_signal(signal.SIGINT)
            try:
                code = process.wait(60)
            except subprocess.TimeoutExpired:
                pytest.fail(f"it does not end; it said {log.read_text()}")
            assert code == 130, log.read_text()
        finally:
            process.kill()
    assert log.read_text().strip().endswith("tidzam: stopped")
    assert "Traceback" not in log.read_text()


def test_a_job_leaves_sigterm_as_it_was(home: Settings) -> None:
    """A background job of a shell ignores SIGINT; SIGTERM must still end it."""
    before, of_sigterm = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    (home.home / "archive").mkdir()
    try:
        run_job(home, INDEX_ARCHIVE)
        assert signal.getsignal(signal.SIGTERM) is of_sigterm
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_exit_code_of_main_tells_the_signals_apart(tmp_path: Path) -> None:
    code = (
        "import click, os, signal, sys\n"
        "from tidzam_platform.cli.main import cli, main\n"
        "from tidzam_platform.operations.termination import sigterm_like_ctrl_c\n"
        "@cli.command('x')\n"
        "@sigterm_like_ctrl_c()\n"
        "def x(): os.kill(os.getpid(), int(os.environ['NUMBER'])); signal.pause()\n"
        "cli.get_command = lambda context, name: cli.commands[name]\n"
        "main(['x'])\n"
    )
    for number, expected in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        environment = cli_environment(tmp_path, {"NUMBER": str(int(number))})
        ended = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == expected, ended.stderr
        assert ended.stderr.strip() == "tidzam: stopped"
