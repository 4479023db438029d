"""Disks that are small, full or slow."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str = "2m") -> Iterator[Path]:
    """A file system of that size, mounted at ``folder``, which is made; skips the test where that cannot be done."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root alone")
    folder.mkdir(parents=True, mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """While the context lasts there is no room in the file system of ``folder``."""
    filling = folder / "filling"
    with filling.open("wb") as handle, pytest.raises(OSError, match="No space"):
        _fill(handle.fileno())
    try:
        yield
    finally:
        filling.unlink()


@contextmanager
def slow_disk(file: Path) -> Iterator[None]:
    """While the context lasts every change of the SQLite file waits."""
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.execute("ROLLBACK")
        database.close()


def _fill(handle: int) -> None:
    while True:
        os.write(handle, bytes(4096))
