"""Child processes that end when we end, however we end."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

_lock = threading.Lock()
_spawner: ThreadPoolExecutor | None = None


def _forget_spawner() -> None:
    """A fork has none of its parent's threads."""
    global _spawner, _lock
    _spawner, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_spawner)


def spawn(
    command: Sequence[str],
    *,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    environment: Mapping[str, str],
    folder: str,
) -> subprocess.Popen[bytes]:
    """Start ``command`` as the leader of a process group that the kernel kills when this process dies.

    The kernel watches the *thread* that starts a child, so one thread that lives as long as the process starts all
    of them. Where ``setpriv`` (util-linux) cannot ask the kernel, a child still ends by its closed pipes.
    """
    global _spawner
    with _lock:
        if _spawner is None:
            _spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tidzam-spawner")
        spawner = _spawner

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*_die_with_parent(), *command],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=dict(environment),
            cwd=folder,
            process_group=0,
            bufsize=0,
        )

    return spawner.submit(start).result()


@functools.cache
def _die_with_parent() -> tuple[str, ...]:
    """The command that asks for SIGKILL at the death of the parent and then becomes the command after it."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    ask = (setpriv, "--pdeathsig", "KILL", "--")
    tried = subprocess.run([*ask, setpriv, "--version"], capture_output=True, check=False, timeout=10)
    return ask if tried.returncode == 0 else ()
