"""What the store on a local disk promises beyond the interface."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tidzam_platform.errors import ObjectNotFoundError, StoreError
from tidzam_platform.files import PARTIAL_FOLDER
from tidzam_platform.store import LocalStore

PUT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tidzam_platform.store import LocalStore
LocalStore(Path(sys.argv[1])).put_bytes("a/b", b"new" * 100_000)
"""


def _put_and_crash(root: Path, point: str) -> None:
    environment = {**os.environ, "TIDZAM_CRASH_AT": point}
    killed = subprocess.run([sys.executable, "-c", PUT, str(root)], env=environment, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("before", [None, b"old"], ids=["new", "replaced"])
def test_a_put_that_was_killed_leaves_nothing_visible(tmp_path: Path, before: bytes | None) -> None:
    store = LocalStore(tmp_path)
    if before is not None:
        store.put_bytes("a/b", before)
    _put_and_crash(tmp_path, "files.written")
    assert list(store.keys()) == ([] if before is None else ["a/b"])
    if before is not None:
        assert store.get_bytes("a/b") == before
    assert any((tmp_path / PARTIAL_FOLDER).iterdir())
    LocalStore(tmp_path)
    assert list((tmp_path / PARTIAL_FOLDER).iterdir()) == []


def test_a_put_that_was_killed_after_the_rename_is_whole(tmp_path: Path) -> None:
    _put_and_crash(tmp_path, "files.renamed")
    store = LocalStore(tmp_path)
    assert store.get_bytes("a/b") == b"new" * 100_000
    assert list(store.keys()) == ["a/b"]


def test_of_many_that_store_once_at_the_same_time_one_wins(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    offers = [bytes([number]) * 1000 for number in range(8)]
    with ThreadPoolExecutor(len(offers)) as writers:
        won = list(writers.map(lambda data: store.put_once("a", data), offers))
    assert won.count(True) == 1
    assert store.get_bytes("a") == offers[won.index(True)]


def test_a_put_that_fails_is_a_typed_error_and_leaves_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    with pytest.raises(StoreError, match="missing"):
        store.put_file("a", tmp_path / "missing")
    store.put_bytes("b", b"1")
    with pytest.raises(StoreError, match="'b/c'"):
        store.put_bytes("b/c", b"2")
    store.put_bytes("d/e", b"3")
    with pytest.raises(StoreError, match="'d'"):
        store.put_bytes("d", b"4")
    assert list(store.keys()) == ["b", "d/e"]
    assert list((tmp_path / "store" / PARTIAL_FOLDER).iterdir()) == []


def test_what_is_not_there_and_what_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    for key in ("absent", "folder", "folder/absent"):
        with pytest.raises(ObjectNotFoundError):
            store.get_bytes(key)
        with pytest.raises(ObjectNotFoundError):
            store.size_bytes(key)
    with pytest.raises(StoreError, match="cannot be read") as told:
        store.get_bytes("loop")
    assert not isinstance(told.value, ObjectNotFoundError)
