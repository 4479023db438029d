"""The rooms keep to the plan: who imports whom, what loads fast, how long a module may be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tidzam_platform.settings import PROJECT_ROOT

ROOMS = ("tidzam_platform", "serving", "assets", "streamer")
HEAVY = ("tensorflow", "keras", "jack", "ray", "librosa")
MAX_LINES = 400

IMPORT_ALL = """
import importlib, json, pkgutil, sys
rooms, heavy = json.loads(sys.argv[1])
seen = []
for room in rooms:
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        # These two run when they are imported: the command line, and Alembic's script.
        if not module.name.endswith((".__main__", ".migrations.env")):
            importlib.import_module(module.name)
            seen.append(module.name)
            for name in heavy:
                assert name not in sys.modules, f"importing {module.name} loads {name}"
print(len(seen))
"""


def test_the_rooms_import_each_other_as_planned() -> None:
    program = shutil.which("lint-imports", path=sysconfig.get_path("scripts"))
    assert program is not None, "import-linter is not installed: pip install -e .[test]"
    checked = subprocess.run(
        [program, "--no-cache"], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_importing_any_module_loads_nothing_heavy() -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps([ROOMS, HEAVY])],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 10


def test_no_module_is_long() -> None:
    modules = [path for room in (*ROOMS, "tests") for path in Path(PROJECT_ROOT, room).rglob("*.py")]
    assert modules
    lengths = {str(path): len(path.read_text().splitlines()) for path in modules}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}
