"""What every object store promises: the local folder, and S3 on a quick server and on a real one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.s3_servers import S3Server
from tidzam_platform.errors import InvalidNameError, ObjectNotFoundError
from tidzam_platform.files import sha256_of_file
from tidzam_platform.store import LocalStore, ObjectStore

STORES = ("local", "moto", "swift")

SEGMENTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,20}", fullmatch=True)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
HOSTILE_KEYS = [
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".partial/a", "a/.hidden",
    "-option", "a b", "a\n", "a\0b", "ä", "a\\b", "~", "~/a", "$HOME", "a:b", "C:\\a", "a*", "%2e%2e/a",
    "a" * 256, "a/" * 300 + "a",
]  # fmt: skip

on_one_store = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20
)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """An empty store of each kind."""
    if request.param == "local":
        return LocalStore(tmp_path / "store")
    server: S3Server = request.getfixturevalue(request.param)
    for name, value in server.credentials.items():
        monkeypatch.setenv(name, value)
    return server.store(tmp_path)


def test_a_store_that_can_be_used_says_so(store: ObjectStore) -> None:
    store.check()
    store.put_bytes("a", b"1")
    store.check()


@pytest.mark.parametrize("data", [b"", b"one", bytes(range(256)) * 20_000], ids=len)
def test_an_object_comes_back_as_it_was_stored(store: ObjectStore, data: bytes) -> None:
    store.put_bytes("clips/ab/abcdef.opus", data)
    assert store.get_bytes("clips/ab/abcdef.opus") == data
    assert store.size_bytes("clips/ab/abcdef.opus") == len(data)
    assert store.exists("clips/ab/abcdef.opus")
    with store.as_file("clips/ab/abcdef.opus") as path:
        assert path.read_bytes() == data


def test_a_file_is_copied_and_left_alone(store: ObjectStore, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"one")
    store.put_file("a", origin)
    origin.write_bytes(b"two")
    assert store.get_bytes("a") == b"one"


def test_storing_again_replaces(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("a", b"first, and longer")
    store.put_bytes("a", b"second")
    assert store.get_bytes("a") == b"second"
    (tmp_path / "third").write_bytes(b"third")
    store.put_file("a", tmp_path / "third")
    assert store.get_bytes("a") == b"third"
    assert list(store.keys()) == ["a"]


def test_an_object_stored_once_is_never_replaced(store: ObjectStore) -> None:
    assert store.put_once("a/b", b"first")
    assert not store.put_once("a/b", b"second")
    assert store.get_bytes("a/b") == b"first"
    assert store.put_once("a/b", b"first"), "the same call may be made again"
    store.delete("a/b")
    assert store.put_once("a/b", b"second")


def test_a_file_has_the_name_of_its_key(store: ObjectStore) -> None:
    store.put_bytes("weights/head.weights.h5", b"1")
    with store.as_file("weights/head.weights.h5") as path:
        assert path.name == "head.weights.h5"


def test_a_large_file_goes_and_comes_whole(store: ObjectStore, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1 << 20) * 33)
    store.put_file("large", large)
    store.put_file("large", large)
    assert store.size_bytes("large") == 33 << 20
    with store.as_file("large") as path:
        assert sha256_of_file(path) == sha256_of_file(large)


def test_a_file_being_read_keeps_its_bytes_while_the_object_is_replaced(store: ObjectStore) -> None:
    store.put_bytes("a", b"first")
    with store.as_file("a") as path, path.open("rb") as handle:
        store.put_bytes("a", b"second")
        assert handle.read() == b"first"


def test_what_is_not_there_is_a_typed_error(store: ObjectStore) -> None:
    assert not store.exists("a/b")
    with pytest.raises(ObjectNotFoundError, match="a/b"):
        store.get_bytes("a/b")
    with pytest.raises(ObjectNotFoundError):
        store.size_bytes("a/b")
    with pytest.raises(ObjectNotFoundError), store.as_file("a/b"):
        pass


def test_the_folder_of_a_key_is_no_object(store: ObjectStore) -> None:
    store.put_bytes("a/b/c", b"1")
    assert not store.exists("a/b")
    store.delete("a/b")
    with pytest.raises(ObjectNotFoundError):
        store.get_bytes("a/b")
    assert store.get_bytes("a/b/c") == b"1"


def test_deleting_removes_one_object_and_may_be_repeated(store: ObjectStore) -> None:
    store.put_bytes("a/b", b"1")
    store.put_bytes("a/c", b"2")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("never/was")
    assert list(store.keys()) == ["a/c"]


def test_keys_come_in_order_and_a_prefix_is_plain_text(store: ObjectStore) -> None:
    keys = ["a/b", "a/bc/d", "a-b", "b", "a/b.c", "B"]
    for key in keys:
        store.put_bytes(key, b"")
    assert list(store.keys()) == sorted(keys)
    assert list(store.keys("a/b")) == ["a/b", "a/b.c", "a/bc/d"]
    assert list(store.keys("a/bc/")) == ["a/bc/d"]
    assert list(store.keys("a")) == ["a-b", "a/b", "a/b.c", "a/bc/d"]
    assert list(store.keys("nothing")) == []
    assert list(store.keys("a/b/")) == []


def test_a_prefix_that_no_key_begins_with_finds_nothing(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    store.put_bytes("a/b", b"1")
    for prefix in ("../", "../../", "/", "//", "a/../", ".", ".partial/", "\0", "a\0/", "~/", "*"):
        assert list(store.keys(prefix)) == [], prefix


def test_hostile_keys_are_refused_by_every_method(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    attempts: list[Callable[[str], object]] = [
        lambda key: store.put_bytes(key, b"1"),
        lambda key: store.put_once(key, b"1"),
        lambda key: store.put_file(key, tmp_path / "file"),
        store.get_bytes,
        lambda key: store.as_file(key).__enter__(),
        store.exists,
        store.size_bytes,
        store.delete,
    ]
    for key in HOSTILE_KEYS:
        for attempt in attempts:
            with pytest.raises(InvalidNameError):
                attempt(key)
    assert list(store.keys()) == []


@on_one_store
@given(key=st.text(max_size=30) | st.text(alphabet="./\\a-~ \0", max_size=12))
@example(key="a\n")
def test_any_text_is_refused_or_is_stored_as_exactly_one_object(store: ObjectStore, key: str) -> None:
    try:
        store.put_bytes(key, b"x")
    except InvalidNameError:
        assert list(store.keys()) == []
    else:
        assert list(store.keys()) == [key]
        store.delete(key)


@on_one_store
@given(key=KEYS, data=st.binary(max_size=100))
def test_any_well_formed_key_holds_any_bytes(store: ObjectStore, key: str, data: bytes) -> None:
    store.put_bytes(key, data)
    assert store.get_bytes(key) == data
    assert list(store.keys(key)) == [key]
    for earlier in list(store.keys()):
        store.delete(earlier)


def test_readers_beside_writers_see_whole_objects_only(store: ObjectStore) -> None:
    versions = [bytes([number]) * 300_000 for number in range(4)]
    store.put_bytes("a", versions[0])
    done = threading.Event()
    torn: list[int] = []

    def read() -> None:
        while not done.is_set():
            if store.get_bytes("a") not in versions:
                torn.append(1)

    readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(30 if isinstance(store, LocalStore) else 10):
        store.put_bytes("a", versions[number % len(versions)])
    done.set()
    for reader in readers:
        reader.join(10)
    assert not torn
