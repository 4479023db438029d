"""JACK's own list of servers in shared memory: it has room for eight, and forgets a killed one only by its name.

So eight servers of different homes that were killed would keep JACK from ever starting again on a machine; and a
killed one whose process number is somebody else's by now would keep its own home from it. Here the places of dead
servers of ours are freed, under JACK's own lock, and the files that they left are removed. Layout:
``jack_shm_header_t`` of jack2, common/shm.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from tidzam_platform.errors import AudioGraphError

SERVER_PREFIX: Final = "tidzam-"
_HOME_SERVER: Final = rf"{SERVER_PREFIX}[0-9a-f]{{8}}"  # as jackd.server_name names that of a home
_SHARED: Final = Path("/dev/shm")  # noqa: S108 - where JACK keeps it, as shm_open(3) does
_REGISTRY: Final = _SHARED / "jack-shm-registry"
_HEAD: Final = struct.Struct(
    "=IHxxiIII"
)  # magic, protocol, type, size, length of the header, length of an entry
_MAGIC: Final = 0x4A41434B
_POSIX: Final = 1
_SERVERS: Final = 8
_SERVER_BYTES: Final = 264  # process number, name
_HEADER_BYTES: Final = 24 + _SERVERS * _SERVER_BYTES
_LOCK_KEY: Final = 0x282929  # of a System V semaphore
_SEM_UNDO: Final = 0x1000
_PATIENCE_S: Final = 2


class _Operation(ctypes.Structure):
    _fields_ = (("number", ctypes.c_ushort), ("add", ctypes.c_short), ("flags", ctypes.c_short))


class _Timeout(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def forget_dead_servers() -> list[str]:
    """Free the places of servers of ours (of this user) that are no more; returns their names.

    Raises:
        AudioGraphError: JACK's list is locked by somebody who does not let go.
    """
    if not _REGISTRY.exists() or _REGISTRY.stat().st_size < _HEADER_BYTES:
        return []
    gone = []
    with _lock(), _REGISTRY.open("r+b") as file, mmap.mmap(file.fileno(), _HEADER_BYTES) as registry:
        magic, _, kind, _, header_bytes, _ = _HEAD.unpack_from(registry)
        if (magic, kind, header_bytes) != (_MAGIC, _POSIX, _HEADER_BYTES):
            return []  # of another JACK: not ours to understand
        ours = f"jack-{os.getuid()}:{SERVER_PREFIX}".encode()
        for at in range(_HEAD.size, _HEADER_BYTES, _SERVER_BYTES):
            pid = int.from_bytes(registry[at : at + 4], "little", signed=True)
            name = registry[at + 4 : at + _SERVER_BYTES].split(b"\0")[0]
            if pid > 0 and name.startswith(ours) and not _is_jackd(pid):
                registry[at : at + _SERVER_BYTES] = bytes(_SERVER_BYTES)
                gone.append(name.decode(errors="replace").strip(":").partition(":")[2])
    return gone


def remove_files_of(server: str) -> None:
    """Remove what a server of ours that is dead left in shared memory: its socket, and a file for each client."""
    user = os.getuid()
    for pattern in (f"jack_sem.{user}_{server}_*", f"jack_{server}_{user}_[0-9]*"):
        for path in _SHARED.glob(pattern):
            path.unlink(missing_ok=True)


def remove_files_of_dead_servers() -> list[str]:
    """Remove what servers of homes left in shared memory that are no more; returns their names.

    The first start of an engine after a crash does it for all homes: a home that is never used again would else keep a
    file for each of its clients there until the machine is started anew.
    """
    user = os.getuid()
    names = re.compile(rf"jack_sem\.{user}_({_HOME_SERVER})_.+|jack_({_HOME_SERVER})_{user}_[0-9]+")
    left = {match[1] or match[2] for path in _SHARED.glob("jack_*") if (match := names.fullmatch(path.name))}
    # Asked after the look: a server that begins later has no file in it.
    dead = sorted(left - _living_servers()) if left else []
    for server in dead:
        remove_files_of(server)
    return dead


def _living_servers() -> set[str]:
    """Names that processes of jackd were given. One that just begins has its name before it has any file."""
    living: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        if not _is_jackd(int(process.name)):
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            living.update(name for option, name in pairwise(words) if option in ("--name", "-n"))
    return living


def _is_jackd(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("jackd")
    return False


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """JACK's lock on its list; the kernel gives it back should we die."""
    libc = ctypes.CDLL(None, use_errno=True)
    semaphore = libc.semget(_LOCK_KEY, 0, 0)
    if semaphore < 0:  # nobody has ever locked it
        yield
        return
    take, give = _Operation(0, -1, _SEM_UNDO), _Operation(0, 1, _SEM_UNDO)
    if libc.semtimedop(semaphore, ctypes.byref(take), 1, ctypes.byref(_Timeout(_PATIENCE_S, 0))) != 0:
        raise AudioGraphError(
            f"JACK's list of servers stays locked ({os.strerror(ctypes.get_errno())}): end the JACK programs of this "
            "machine, or remove its semaphore with ipcrm -S 0x282929"
        )
    try:
        yield
    finally:
        libc.semop(semaphore, ctypes.byref(give), 1)
