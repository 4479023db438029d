"""``python -m tests.operations.supervision.driver DEFINITIONS COMMAND ...``: the command line on a table of actors.

DEFINITIONS is a JSON file: a list of objects with name, command, port, needs and ready_s.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tidzam_platform.cli import processes
from tidzam_platform.cli.main import main
from tidzam_platform.operations.supervision.probes import HttpProbe
from tidzam_platform.operations.supervision.table import ProcessDefinition, ProcessTable
from tidzam_platform.settings import Settings


def small_table(_settings: Settings) -> ProcessTable:
    """What the file describes."""
    return ProcessTable(
        ProcessDefinition(
            one["name"],
            tuple(one["command"]),
            HttpProbe("127.0.0.1", one["port"], "/readyz"),
            needs=tuple(one["needs"]),
            ready_s=one["ready_s"],
            stop_s=one["stop_s"],
        )
        for one in json.loads(Path(sys.argv[1]).read_bytes())
    )


if __name__ == "__main__":
    processes.process_table = small_table
    main(sys.argv[2:])
