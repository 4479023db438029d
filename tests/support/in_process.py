"""The command line in this process: what it does not need to be alone for costs no start of TensorFlow."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from tests.support.crash import cli_environment
from tidzam_platform.cli.main import main


def run_here(
    arguments: Sequence[str | Path], home: Path, *, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Like ``run_cli``, in this process; the environment is put back afterwards."""
    out, err = io.StringIO(), io.StringIO()
    command = [str(argument) for argument in arguments]
    with (
        mock.patch.dict(os.environ, cli_environment(home, env), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(command)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())
