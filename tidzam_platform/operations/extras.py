"""Optional Python packages that a user asks for: the extras of pyproject.toml but for that of the tests.

Standard library only, as all of the set-up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidzam_platform.errors import SetUpError
from tidzam_platform.operations import stamp
from tidzam_platform.operations.set_up import set_up

EXTRAS: Final = {
    "cluster": "Ray, for reprocessing and Dagster's runs on many machines; Dagster on PostgreSQL",
    "gpu": "NVIDIA's libraries, for training on its GPUs with TensorFlow",
    "jax": "JAX, for training with KERAS_BACKEND=jax",
}


def install_extras(root: Path, extras: Sequence[str]) -> None:
    """Install ``extras`` into the environment that ``./tidzam`` made below ``root``; later updates keep them.

    Raises:
        SetUpError: this process runs in another environment, or they cannot be installed.
    """
    if not stamp.read_stamp(str(root)) or os.path.realpath(sys.prefix) != os.path.realpath(root / stamp.VENV):
        raise SetUpError(
            f"{sys.prefix} was not made by ./tidzam: call ./tidzam check --extra, or install them there "
            f"(pip install 'tidzam[{','.join(extras)}]')"
        )
    set_up(root, extras=extras)
