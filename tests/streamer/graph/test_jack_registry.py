"""JACK's list of servers: killed ones of ours do not fill it, and nobody else's are touched."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from streamer.engine.graph import Jackd
from streamer.engine.graph.jack_registry import (
    forget_dead_servers,
    remove_files_of,
    remove_files_of_dead_servers,
)
from tests.streamer.graph.conftest import SETTINGS, opened
from tests.support.parts import require_part
from tests.support.waiting import wait_for

REGISTRY = Path("/dev/shm/jack-shm-registry")  # noqa: S108 - JACK's own


def name() -> str:
    require_part("jackd")
    return f"tidzam-test-{secrets.token_hex(4)}"


def is_listed(server: str) -> bool:
    return f"jack-{os.getuid()}:{server}:".encode() in REGISTRY.read_bytes()


def test_the_place_of_a_killed_server_is_freed_and_that_of_a_living_one_is_not() -> None:
    with Jackd(name(), SETTINGS) as living, Jackd(name(), SETTINGS) as killed:
        for server in (living, killed):
            opened(server.server).close()
            assert is_listed(server.server)
        killed.kill()
        wait_for(lambda: not killed.is_running(), "its end")
        assert (
            living.server not in forget_dead_servers()
        )  # another test may have freed the killed one's already
        assert not is_listed(killed.server)
        assert is_listed(living.server)
        opened(living.server).close()
    assert not is_listed(living.server)


def test_more_servers_than_there_are_places_can_be_killed_one_after_the_other() -> None:
    for _ in range(10):
        with Jackd(name(), SETTINGS) as server:
            wait_for(lambda: is_listed(server.server), "it is listed")
            server.kill()


def test_files_of_one_server_are_removed_and_not_those_of_another(tmp_path: Path) -> None:
    one, other = name(), name()
    made = [
        Path(f"/dev/shm/jack_sem.{os.getuid()}_{one}_marsh"),  # noqa: S108
        Path(f"/dev/shm/jack_{one}_{os.getuid()}_0"),  # noqa: S108
        Path(f"/dev/shm/jack_sem.{os.getuid()}_{other}_marsh"),  # noqa: S108
    ]
    for path in made:
        path.touch()
    try:
        remove_files_of(one)
        assert [path.exists() for path in made] == [False, False, True]
    finally:
        remove_files_of(other)
    assert not made[2].exists()


def test_files_of_a_dead_home_are_removed_and_not_those_of_a_living_one_or_of_others() -> None:
    require_part("jackd")
    dead, alive = (f"tidzam-{secrets.token_hex(4)}" for _ in range(2))
    shared, user = REGISTRY.parent, os.getuid()
    foreign = [shared / f"jack_sem.{user}_mine{dead}_x", shared / f"jack_sem.{user + 1}_{dead}_x"]
    left = [shared / f"jack_sem.{user}_{dead}_s_1", shared / f"jack_{dead}_{user}_0"]
    for path in (*foreign, *left):
        path.touch()
    try:
        with Jackd(alive, SETTINGS) as living:  # its start does it
            opened(living.server).close()
            assert [path for path in left if path.exists()] == []
            left[0].touch()
            assert dead in remove_files_of_dead_servers()
            assert list(shared.glob(f"jack_sem.{user}_{alive}_*"))
            opened(living.server).close()
        assert all(path.exists() for path in foreign)
    finally:
        for path in (*foreign, *left):
            path.unlink(missing_ok=True)
