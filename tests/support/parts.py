"""Parts of the operating system that tests need: skip where they are missing, or fail where none may be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tidzam_platform.operations.system_parts import PARTS, install_command

REQUIRE_VARIABLE: Final = "TIDZAM_TEST_REQUIRE_PARTS"
SKIP_REASON: Final = "system part missing: "

_PARTS: Final = {part.name: part for part in PARTS}


def require_part(name: str) -> Path:
    """The program of the part ``name`` (of ``tidzam_platform.operations.system_parts``).

    Skips the test where it is not installed; fails it instead when TIDZAM_TEST_REQUIRE_PARTS=1.
    """
    part = _PARTS[name]
    program = part.find()
    if program is not None:
        return program
    reason = f"{SKIP_REASON}{name} ({install_command([part])})"
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{reason}; {REQUIRE_VARIABLE}=1 allows no skip", pytrace=False)
    pytest.skip(reason)
