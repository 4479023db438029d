"""Optional packages come by ``./tidzam check --extra``, and stay."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.crash import run_cli
from tests.support.tiny_project import TinyProject
from tidzam_platform.errors import SetUpError
from tidzam_platform.operations.extras import EXTRAS, install_extras
from tidzam_platform.settings import PROJECT_ROOT

INSTALL = (
    "import sys; from pathlib import Path\n"
    "from tidzam_platform.operations.extras import install_extras\n"
    "install_extras(Path(sys.argv[1]), ['test'])"
)


def test_all_extras_but_that_of_the_tests_can_be_asked_for() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"test"}


def test_an_extra_is_installed_once_into_the_environment_of_the_project(project: TinyProject) -> None:
    project.run("x")
    for _ in range(2):
        command = [project.venv / "bin" / "python", "-c", INSTALL, project.root]
        done = subprocess.run(
            command, env=project.environment(), capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
    assert project.stamp()["extras"] == ["test"]
    assert project.builds() == 2
    assert project.run("x").stderr == ""


def test_an_environment_of_another_make_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match=r"was not made by \./tidzam.*tidzam\[gpu,jax\]"):
        install_extras(tmp_path, ["gpu", "jax"])
    assert not list(tmp_path.iterdir())


def test_an_extra_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    refused = run_cli(["check", "--extra", "cuda"], tmp_path)
    assert refused.returncode == 2
    assert "'cluster', 'gpu', 'jax'" in refused.stderr
