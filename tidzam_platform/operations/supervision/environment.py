"""What supervised processes see of the world: the settings of who started them, and nothing that varies by shell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tidzam_platform.operations.supervision.processes import has_relative_paths
from tidzam_platform.operations.supervision.trees import MARK_VARIABLE, mark
from tidzam_platform.settings import Settings
from tidzam_platform.variables import CONFIG_FILE_VARIABLE, PREFIX

_CRASH_POINT: Final = "TIDZAM_CRASH_AT"  # of the command that was given, not of what it starts


def process_environment(settings: Settings) -> dict[str, str]:
    """Variables of the processes of ``settings``: every ``TIDZAM_*`` of ours, paths made absolute, and a few more."""
    ours = {key: value for key, value in os.environ.items() if key.upper().startswith(PREFIX)}
    kept = {key: value for key, value in ours.items() if key.upper() not in (_CRASH_POINT, f"{PREFIX}HOME")}
    if config := kept.get(CONFIG_FILE_VARIABLE):
        kept[CONFIG_FILE_VARIABLE] = str(Path(config).absolute())
    return {
        **kept,
        f"{PREFIX}HOME": str(settings.home),
        MARK_VARIABLE: mark(settings.home),
        "PYTHONUNBUFFERED": "1",  # what the log says shall be there when somebody looks
    }


def working_folder(settings: Settings) -> Path:
    """Where processes run: in the home, or, where a setting is a relative path, in the folder that it is meant in."""
    return Path.cwd() if has_relative_paths(settings) else settings.home
