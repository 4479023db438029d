"""What every object store promises. A new store passes by being added to ``STORES``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tidzam_platform.errors import InvalidNameError, ObjectNotFoundError
from tidzam_platform.store import LocalStore, ObjectStore

STORES: dict[str, Callable[[Path], ObjectStore]] = {
    "local": lambda folder: LocalStore(folder / "store"),
}

SEGMENTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,20}", fullmatch=True)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
HOSTILE_KEYS = [
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".partial/a", "a/.hidden",
    "-option", "a b", "a\n", "a\0b", "ä", "a\\b", "~", "~/a", "$HOME", "a:b", "C:\\a", "a*", "%2e%2e/a",
    "a" * 256, "a/" * 300 + "a",
]  # fmt: skip

on_one_store = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return STORES[request.param](tmp_path)


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


@pytest.mark.parametrize(
    "prefix", ["../", "../../", "/", "//", "a/../", ".", ".partial/", "\0", "a\0/", "~/", "*"]
)
def test_a_prefix_that_no_key_begins_with_finds_nothing(
    store: ObjectStore, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    store.put_bytes("a/b", b"1")
    assert list(store.keys(prefix)) == []


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_hostile_keys_are_refused_by_every_method(store: ObjectStore, key: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    attempts: list[Callable[[], object]] = [
        lambda: store.put_bytes(key, b"1"),
        lambda: store.put_file(key, tmp_path / "file"),
        lambda: store.get_bytes(key),
        lambda: store.as_file(key).__enter__(),
        lambda: store.exists(key),
        lambda: store.size_bytes(key),
        lambda: store.delete(key),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidNameError):
            attempt()
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
    for number in range(30):
        store.put_bytes("a", versions[number % len(versions)])
    done.set()
    for reader in readers:
        reader.join(10)
    assert not torn
