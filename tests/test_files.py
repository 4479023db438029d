"""Files are whole or absent; locks die with their process."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidzam_platform.errors import BusyError
from tidzam_platform.files import (
    PARTIAL_FOLDER,
    exclusive,
    partial_path,
    remove_leavings,
    sha256_of_file,
    whole_file,
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


def _partials(root: Path) -> list[Path]:
    return list((root / PARTIAL_FOLDER).glob("*"))


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c", b"1")
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"1"


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


def test_leavings_of_the_dead_are_removed_and_those_of_the_living_kept(tmp_path: Path) -> None:
    ours = partial_path(tmp_path)
    ours.write_bytes(b"1")
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    folder = tmp_path / PARTIAL_FOLDER / f"{int(dead.stdout)}-0123"
    folder.mkdir()
    (folder / "file").write_bytes(b"2")
    (tmp_path / PARTIAL_FOLDER / f"{int(dead.stdout)}-4567").write_bytes(b"3")
    (tmp_path / PARTIAL_FOLDER / "somebody-elses").write_bytes(b"4")
    assert remove_leavings(tmp_path) == 2
    assert {path.name for path in _partials(tmp_path)} == {ours.name, "somebody-elses"}


def test_partial_paths_differ(tmp_path: Path) -> None:
    assert len({partial_path(tmp_path) for _ in range(50)}) == 50


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
