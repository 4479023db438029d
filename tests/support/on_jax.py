"""A module of the tests run by a Python of its own, where Keras runs on JAX: a process has one backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tidzam_platform.settings import PROJECT_ROOT


def run_on_jax(module: str, folder: Path, timeout_s: float = 300.0) -> str:
    """Run ``python -m module folder`` on JAX's processor backend; returns what it said on stderr."""
    ran = subprocess.run(
        [sys.executable, "-m", module, str(folder)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stderr
