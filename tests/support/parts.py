"""Parts of the operating system that tests need: skip where they are missing, or fail where none may be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tidzam_platform.operations.server_environment import TestEnvironment, server_python
from tidzam_platform.operations.system_parts import PARTS, install_command
from tidzam_platform.settings import PROJECT_ROOT

REQUIRE_VARIABLE: Final = "TIDZAM_TEST_REQUIRE_PARTS"
SKIP_REASON: Final = "system part missing: "

_PARTS: Final = {part.name: part for part in PARTS}


def require_part(name: str) -> Path:
    """The program of the part ``name`` (of ``tidzam_platform.operations.system_parts``).

    Skips the test where it is not installed; fails it instead when TIDZAM_TEST_REQUIRE_PARTS=1.
    """
    part = _PARTS[name]
    program = part.find()
    return program if program is not None else _is_missing(f"{name} ({install_command([part])})")


def require_environment(environment: TestEnvironment, what: str) -> Path:
    """The Python of an environment beside ours; skips or fails the test as ``require_part``.

    Args:
        environment: of ``tidzam_platform.operations.server_environment``.
        what: is missing where it is not made, and which command makes it.
    """
    python = server_python(PROJECT_ROOT, environment)
    return python if python is not None else _is_missing(what)


def _is_missing(what: str) -> NoReturn:
    reason = f"{SKIP_REASON}{what}"
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{reason}; {REQUIRE_VARIABLE}=1 allows no skip", pytrace=False)
    pytest.skip(reason)
