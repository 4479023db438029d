"""Files are whole or absent; locks die with their process."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidzam_platform.errors import BusyError
from tidzam_platform.files import (
    PARTIAL_FOLDER,
    exclusive,
    partial_path,
    remove_empty_partial_folder,
    remove_leavings,
    sha256_of_file,
    whole_file,
    write_for_user,
    write_whole,
)

HOLD_A_LOCK = """
import sys, time
from pathlib import Path
from tidzam_platform.files import exclusive
with exclusive(Path(sys.argv[1]), "a test"):
    print("held", flush=True)
    time.sleep(60)
"""

WRITE_SLOWLY = """
import sys, time
from pathlib import Path
from tidzam_platform.files import partial_path
with partial_path(Path(sys.argv[1])) as path:
    path.mkdir()
    (path / "file").write_text("1")
    print(path.name, flush=True)
    time.sleep(60)
"""
OTHER_NUMBERS = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]


@contextmanager
def _writing(root: Path, *prefix: str) -> Iterator[str]:
    """The name of what another process is writing; it is killed at the end."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-c", WRITE_SLOWLY, str(root)], stdout=subprocess.PIPE, text=True
    ) as writer:
        try:
            assert writer.stdout is not None
            yield writer.stdout.readline().strip()
        finally:
            writer.kill()
            assert writer.stdout.read() == "", "also those below it have ended"


def _names(root: Path) -> set[str]:
    return {path.name for path in _partials(root)}


def _partials(root: Path) -> list[Path]:
    return list((root / PARTIAL_FOLDER).glob("*"))


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c", b"1")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"1"


def test_an_empty_folder_of_partial_files_is_removed_and_one_that_is_used_is_not(tmp_path: Path) -> None:
    with partial_path(tmp_path):
        remove_empty_partial_folder(tmp_path)
        assert (tmp_path / PARTIAL_FOLDER).is_dir()
    remove_empty_partial_folder(tmp_path)
    assert not (tmp_path / PARTIAL_FOLDER).exists()
    remove_empty_partial_folder(tmp_path)


def test_who_removes_the_empty_folder_disturbs_nobody_who_writes_there(tmp_path: Path) -> None:
    ended = threading.Event()

    def remove() -> None:
        while not ended.is_set():
            remove_empty_partial_folder(tmp_path)

    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(remove)
        try:
            for number in range(40):
                write_whole(tmp_path / "file", str(number).encode())
        finally:
            ended.set()
        removing.result()
    assert (tmp_path / "file").read_bytes() == b"39"


def test_what_is_written_for_a_user_leaves_nothing_else_in_the_folder(tmp_path: Path) -> None:
    write_for_user(tmp_path / "pictures" / "one.png", b"one")
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["one.png"]
    (tmp_path / "pictures" / "two.png").mkdir()
    with pytest.raises(IsADirectoryError):
        write_for_user(tmp_path / "pictures" / "two.png", b"two")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"one.png", "two.png"}


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    def write_half(path: Path) -> None:
        with whole_file(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyError("on purpose")

    target = tmp_path / "a"
    with pytest.raises(KeyError):
        write_half(target)
    assert not target.exists()
    target.write_bytes(b"old")
    with pytest.raises(KeyError):
        write_half(target)
    assert target.read_bytes() == b"old"
    assert _partials(tmp_path) == []


@pytest.mark.parametrize(("point", "expected"), [("files.written", b"old"), ("files.renamed", b"new")])
def test_a_write_that_is_killed_leaves_the_old_file_or_the_new(
    tmp_path: Path, point: str, expected: bytes
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    program = "import sys; from pathlib import Path; from tidzam_platform.files import write_whole;"
    program += "write_whole(Path(sys.argv[1]), b'new')"
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a")],
        env={**os.environ, "TIDZAM_CRASH_AT": point},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_bytes() == expected


@pytest.mark.parametrize("prefix", [[], OTHER_NUMBERS], ids=["", "in a container"])
def test_leavings_of_the_dead_are_removed_and_those_of_the_living_kept(
    tmp_path: Path, prefix: list[str]
) -> None:
    if prefix and (
        shutil.which("unshare") is None or subprocess.run([*prefix, "true"], check=False).returncode
    ):
        # Only who is privileged may; what holds there holds of names alone, which the next test checks anywhere.
        pytest.skip("this system gives processes no numbers of their own (unshare)")
    with partial_path(tmp_path) as ours, _writing(tmp_path, *prefix) as living:
        ours.write_bytes(b"1")
        with _writing(tmp_path, *prefix) as dead:
            assert remove_leavings(tmp_path) == 0
        assert remove_leavings(tmp_path) == 1
        assert _names(tmp_path) >= {ours.name, living}
        assert not any(name.startswith(dead) for name in _names(tmp_path))
        assert (tmp_path / PARTIAL_FOLDER / living / "file").read_text() == "1"
    assert remove_leavings(tmp_path) == 1
    assert _names(tmp_path) == set()


def test_the_number_in_a_name_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / PARTIAL_FOLDER
    folder.mkdir()
    for name in ("1-0a", "1-0a.owner", f"{os.getpid()}-0b", "1-0c.owner", "999999999-0d"):
        (folder / name).write_bytes(b"1")
    with (folder / "999999999-0d.owner").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert remove_leavings(tmp_path) == 2
        assert _names(tmp_path) == {"999999999-0d", "999999999-0d.owner"}
    assert remove_leavings(tmp_path) == 1
    assert _names(tmp_path) == set()


def test_what_others_put_there_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / PARTIAL_FOLDER
    (folder / "incoming").mkdir(parents=True)
    (folder / "incoming.owner").touch()
    (folder / "7").mkdir()
    assert remove_leavings(tmp_path) == 0
    assert _names(tmp_path) == {"incoming", "incoming.owner", "7"}


def test_what_a_link_among_the_leavings_leads_to_is_kept(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / PARTIAL_FOLDER).mkdir()
    (tmp_path / PARTIAL_FOLDER / "1-0a").symlink_to(tmp_path / "elsewhere")
    assert remove_leavings(tmp_path) == 1
    assert _names(tmp_path) == set()
    assert (tmp_path / "elsewhere").is_dir()


def test_nothing_is_left_of_a_partial_path_that_was_not_used_up(tmp_path: Path) -> None:
    def fail() -> None:
        with partial_path(tmp_path) as path:
            path.mkdir()
            (path / "file").touch()
            raise KeyError("on purpose")

    with pytest.raises(KeyError):
        fail()
    with partial_path(tmp_path):
        pass
    assert _names(tmp_path) == set()


def test_partial_paths_differ(tmp_path: Path) -> None:
    with partial_path(tmp_path) as one, partial_path(tmp_path) as other:
        assert one != other


@pytest.mark.parametrize("length", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_the_hash_is_that_of_all_bytes(tmp_path: Path, length: int) -> None:
    data = os.urandom(length)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_a_lock_is_held_by_one_and_freed_at_the_end(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "step"
    with exclusive(lock, "the step"), pytest.raises(BusyError, match="the step is already running"):
        exclusive(lock, "the step").__enter__()
    with exclusive(lock, "the step"):
        pass


def test_a_lock_is_freed_when_its_process_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "step"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_LOCK, str(lock)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(BusyError):
                exclusive(lock, "the step").__enter__()
        finally:
            holder.kill()
        holder.wait(10)
        with exclusive(lock, "the step"):
            pass
