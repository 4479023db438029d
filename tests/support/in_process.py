"""The command line in this process: what it does not need to be alone for costs no start of TensorFlow."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from tests.support.crash import cli_environment
from tidzam_platform.cli.main import main


def _let_absl_log_to_the_real_stderr() -> None:
    """Dagster closes all log handlers, and absl's closes a stream that is not stderr at that moment: pytest's own."""
    if "absl.logging" in sys.modules:
        from absl import logging

        logging.get_absl_handler().python_handler.stream = sys.__stderr__


def run_here(
    arguments: Sequence[str | Path], home: Path, *, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Like ``run_cli``, in this process; the environment is put back afterwards."""
    out, err = io.StringIO(), io.StringIO()
    command = [str(argument) for argument in arguments]
    _let_absl_log_to_the_real_stderr()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        mock.patch.dict(os.environ, cli_environment(home, env), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(command)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    _let_absl_log_to_the_real_stderr()  # if it was imported just now
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())
