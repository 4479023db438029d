"""A command measured from its start to its end: ``python -m serving.benchmarks.measured_command OUTPUT COMMAND...``.

It writes one JSON object into OUTPUT: ``cpu_s`` and ``wall_s`` of all processes, ``peak_mb`` of the largest of them,
and ``code``. It is a process of its own since Linux counts the memory of the parent at the fork as the child's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

_KB_OF_A_MB = 1024.0


def main() -> None:
    """Run it; what it prints goes where our output goes."""
    output, *command = sys.argv[1:]
    began_s = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    measured = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.monotonic() - began_s,
        "peak_mb": usage.ru_maxrss / _KB_OF_A_MB,
        "code": child.returncode,
    }
    Path(output).write_text(json.dumps(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
