"""Supervisor's configuration file. It names paths relative to the home, which Supervisor runs in.

Only the interpreter's own path comes from outside; everything else in it is ours.
"""

from __future__ import annotations

import math
import os
import resource
import shlex
import sys
from collections.abc import Mapping
from typing import Final

from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.supervision.hopeless import HOPELESS_CODE
from tidzam_platform.operations.supervision.table import ProcessTable
from tidzam_platform.streamer_sections import SupervisionSettings

# Relative to the home. Supervisor makes the path of its socket absolute, and the system takes 107 bytes: through
# /proc it is as short in the deepest home.
CONFIGURATION: Final = "run/supervisord.conf"
PID_FILE: Final = "run/supervisord.pid"
SOCKET: Final = "run/supervisor.sock"
LOG: Final = "logs/supervisord.log"
_SOCKET_PATH: Final = f"/proc/self/cwd/{SOCKET}"
_LAUNCH: Final = "tidzam_platform.operations.supervision.launch"

_START_S: Final = 2  # a process that ends sooner is tried again with growing pauses
_START_TRIES: Final = 3  # and then given up until somebody starts it, or `check` does
_OPEN_FILES: Final = 4096  # an engine with 200 sources has several of each
_FIRST_PRIORITY: Final = 10


def configuration_text(
    table: ProcessTable, launch_files: Mapping[str, str], settings: SupervisionSettings
) -> str:
    """The file.

    Args:
        table: the processes.
        launch_files: by name of process, relative to the home.
        settings: how logs are rotated.

    Raises:
        ProcessError: the interpreter's path cannot be written into such a file.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    sections = [
        ["; Written by ./tidzam start from the settings; what is changed here is lost."],
        [
            "[supervisord]",
            "identifier=tidzam",
            f"logfile={LOG}",
            f"logfile_maxbytes={settings.log_mb}MB",
            f"logfile_backups={settings.log_files}",
            f"pidfile={PID_FILE}",
            f"umask={_umask():03o}",
            f"minfds={open_files}",
            "minprocs=1",
            "nocleanup=true",
            "silent=true",
        ],
        ["[unix_http_server]", f"file={_SOCKET_PATH}", "chmod=0700"],
        [
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        ],
        ["[supervisorctl]", f"serverurl=unix://{_SOCKET_PATH}"],
    ]
    for priority, name in enumerate(table.names, start=_FIRST_PRIORITY):
        definition = table[name]
        sections.append(
            [
                f"[program:{name}]",
                f"command={_quoted(sys.executable)} -P -m {_LAUNCH} {launch_files[name]}",
                f"priority={priority}",
                "autostart=false",
                "autorestart=unexpected",
                f"exitcodes={HOPELESS_CODE}",
                f"startsecs={_START_S}",
                f"startretries={_START_TRIES}",
                # The process ends its children in order; what it leaves of its group is killed with it.
                "stopasgroup=false",
                "killasgroup=true",
                f"stopwaitsecs={math.ceil(definition.stop_s)}",
                "redirect_stderr=true",
                f"stdout_logfile=logs/{name}.log",
                f"stdout_logfile_maxbytes={settings.log_mb}MB",
                f"stdout_logfile_backups={settings.log_files}",
            ]
        )
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _quoted(argument: str) -> str:
    """``argument`` as one word of a command line in that file.

    Raises:
        ProcessError: it holds what no such file can.
    """
    if not argument.isprintable():
        raise ProcessError(
            f"Supervisor cannot start programs from {argument!r}: move the checkout to a path without line breaks and "
            "control characters"
        )
    quoted = shlex.quote(argument).replace("%", "%%")
    # A blank and then one of these would begin a comment; '' between them changes nothing for the shell's rules.
    return quoted.replace(" ;", " '';").replace(" #", " ''#")


def _umask() -> int:
    """The caller's: what the processes write shall be as readable as what other commands write."""
    before = os.umask(0o077)  # it can only be read by setting it
    os.umask(before)
    return before
