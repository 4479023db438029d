"""A command that Supervisor runs ends with a code of its own where starting it again is of no use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.in_process import run_here
from tidzam_platform.operations.supervision.hopeless import HOPELESS_CODE, SUPERVISED_VARIABLE


@pytest.mark.parametrize(("is_supervised", "code"), [(True, HOPELESS_CODE), (False, 2)])
def test_a_wrong_setting(tmp_path: Path, is_supervised: bool, code: int) -> None:
    environment = {
        "TIDZAM_DATABASE_URL": "nothing://",
        **({SUPERVISED_VARIABLE: "1"} if is_supervised else {}),
    }
    assert run_here(["dataset", "list"], tmp_path, env=environment).returncode == code


@pytest.mark.parametrize("is_supervised", [True, False])
def test_a_mistake_of_use_keeps_its_code(tmp_path: Path, is_supervised: bool) -> None:
    environment = {SUPERVISED_VARIABLE: "1"} if is_supervised else {}
    assert run_here(["dataset", "import", tmp_path / "no.csv"], tmp_path, env=environment).returncode == 2
