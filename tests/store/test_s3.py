"""What the store on S3 promises beyond the interface."""

from __future__ import annotations

import datetime
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.support.cutting_relay import cutting_relay
from tests.support.s3_servers import BUCKET, S3Server, fresh_location
from tidzam_platform.errors import StoreError, StoreRefusedError, StoreUnavailableError
from tidzam_platform.operations.ports import free_port
from tidzam_platform.store import S3Location, S3Store, s3


@pytest.fixture
def let_in(swift: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The real server, for whose account we have the secret."""
    for name, value in swift.credentials.items():
        monkeypatch.setenv(name, value)
    return swift


@pytest.fixture
def store(let_in: S3Server, tmp_path: Path) -> S3Store:
    return let_in.store(tmp_path)


def refused(store: S3Store) -> str:
    with pytest.raises(StoreRefusedError) as caught:
        store.check()
    return str(caught.value)


def test_a_wrong_secret_is_told_with_what_to_look_at(
    let_in: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    store = let_in.store(tmp_path)
    message = refused(store)
    assert "SignatureDoesNotMatch" in message
    assert "AWS_SECRET_ACCESS_KEY" in message
    assert f"s3://{BUCKET}" in message
    assert "wrong-secret" not in message
    with pytest.raises(StoreRefusedError, match="secret"):
        store.put_bytes("a", b"1")
    with pytest.raises(StoreRefusedError, match="secret"):
        store.exists("a")


def test_an_unknown_access_key_is_told(
    let_in: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "the access key or its secret is wrong" in refused(let_in.store(tmp_path))


def test_no_credentials_at_all_are_told(swift: S3Server, tmp_path: Path) -> None:
    message = refused(swift.store(tmp_path))
    assert "wants an access key" in message
    assert "secrets/s3-credentials" in message


def test_a_bucket_that_is_not_there_is_told(let_in: S3Server, tmp_path: Path) -> None:
    message = refused(let_in.store(tmp_path, S3Location("no-such-bucket")))
    assert "there is no such bucket" in message
    assert "s3://no-such-bucket" in message


def test_a_wrong_clock_is_told_with_how_wrong_it_is(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = datetime.timedelta(hours=2)

    def late(remove_tzinfo: bool = True) -> datetime.datetime:
        now = datetime.datetime.now(datetime.UTC) + ahead
        return now.replace(tzinfo=None) if remove_tzinfo else now

    monkeypatch.setattr("botocore.auth.get_current_datetime", late)
    monkeypatch.setattr("tidzam_platform.store.s3_errors.utc_now", lambda: late(remove_tzinfo=False))
    message = refused(store)
    assert "RequestTimeTooSkewed" in message
    assert "ahead of the server's" in message
    assert "timedatectl" in message


def test_a_server_that_is_not_there_is_told_in_time(let_in: S3Server, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    store = let_in.store(tmp_path, endpoint_url=url, attempts=2)
    begun_s = time.monotonic()
    with pytest.raises(StoreUnavailableError, match=r"does not answer .* s3\.endpoint_url"):
        store.check()
    assert time.monotonic() - begun_s < 20


def test_a_server_that_says_nothing_is_given_up(let_in: S3Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        store = let_in.store(tmp_path, endpoint_url=url, attempts=1, read_timeout_s=0.3)
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            store.get_bytes("a")


def test_credentials_may_stand_in_a_private_file_of_the_home(
    swift: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s3-credentials"
    access = f"aws_access_key_id = {swift.credentials['AWS_ACCESS_KEY_ID']}\n"
    file.write_text(f"[default]\n{access}aws_secret_access_key = {swift.secret}\n")
    file.chmod(0o644)
    with pytest.raises(StoreRefusedError, match="may be read by others"):
        swift.store(tmp_path)
    file.chmod(0o600)
    swift.store(tmp_path).check()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert "wrong" in refused(swift.store(tmp_path)), "the environment goes before the file"


@pytest.mark.parametrize(
    "text", ["hush", "[default]\nhush", "[default]\naws_access_key_id = hush", "[x\nhush"]
)
def test_a_file_that_holds_no_credentials_is_refused_and_not_repeated(
    swift: S3Server, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "s3-credentials"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(StoreRefusedError, match="aws_secret_access_key") as caught:
        swift.store(tmp_path)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.fixture
def answers(store: S3Store) -> list[int]:
    """The status of every answer to a request for an object."""
    statuses: list[int] = []
    store._client.meta.events.register(
        "after-call.s3.GetObject", lambda http_response, **_: statuses.append(http_response.status_code)
    )
    return statuses


def test_an_object_is_fetched_once_and_again_when_it_changed(store: S3Store, answers: list[int]) -> None:
    store.put_bytes("a/b.flac", b"first")
    for _ in range(3):
        with store.as_file("a/b.flac") as path:
            assert path.read_bytes() == b"first"
    assert answers == [200, 304, 304]
    store.put_bytes("a/b.flac", b"second")
    for _ in range(2):
        with store.as_file("a/b.flac") as path:
            assert path.read_bytes() == b"second"
    assert answers == [200, 304, 304, 200, 304]
    assert not path.exists(), "it is the reader's while the context lasts"


def kept(folder: Path) -> list[int]:
    """Sizes of the files of the cache."""
    return [path.stat().st_size for path in (folder / "cache").glob("[0-9a-f][0-9a-f]/*")]


def test_the_cache_is_bounded_and_what_was_used_last_stays(
    let_in: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = let_in.store(tmp_path, cache_mb=1)
    block = os.urandom(200_000)
    for number in range(8):
        store.put_bytes(f"{number}", block)
    with store.as_file("0") as first:
        for number in range(1, 8):
            with store.as_file(f"{number}"):
                pass
            with store.as_file("1"):
                pass
            assert sum(kept(tmp_path)) <= 1 << 20
        assert first.read_bytes() == block, "what is being read stays"
    assert len(kept(tmp_path)) >= 3
    fetched: list[int] = []
    store._client.meta.events.register(
        "after-call.s3.GetObject", lambda http_response, **_: fetched.append(http_response.status_code)
    )
    for key in ("1", "0"):
        with store.as_file(key):
            pass
    assert fetched == [304, 200]
    assert not list((tmp_path / "cache" / ".partial").iterdir())


def test_an_object_larger_than_the_cache_is_read_and_not_kept(let_in: S3Server, tmp_path: Path) -> None:
    store = let_in.store(tmp_path, cache_mb=0)
    store.put_bytes("a", b"1")
    with store.as_file("a") as path:
        assert path.read_bytes() == b"1"
    assert kept(tmp_path) == []


def test_many_read_one_object_at_once(store: S3Store, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    store.put_bytes("a", data)
    right: list[bool] = []

    def read() -> None:
        with store.as_file("a") as path:
            right.append(path.read_bytes() == data)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert right == [True] * 8
    assert kept(tmp_path) == [len(data)]


def test_a_folder_that_cannot_hold_objects_is_told(let_in: S3Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    store = let_in.store(tmp_path)
    store.put_bytes("a", b"1")
    with pytest.raises(StoreError, match="cannot hold objects"), store.as_file("a"):
        pass


def test_a_download_goes_on_where_the_connection_broke(let_in: S3Server, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    location = fresh_location()
    let_in.store(tmp_path, location).put_bytes("a", data)
    with cutting_relay(let_in.url) as relay:
        store = let_in.store(tmp_path, location, endpoint_url=relay.url)
        ranges: list[str | None] = []
        store._client.meta.events.register(
            "before-call.s3.GetObject", lambda params, **_: ranges.append(params["headers"].get("Range"))
        )
        relay.after_bytes, relay.cuts = 1_500_000, 1
        assert store.get_bytes("a") == data
        assert relay.cut == 1
        assert ranges[0] is None
        assert int(str(ranges[1]).removeprefix("bytes=").removesuffix("-")) > 0
        relay.cuts = 100
        relay.after_bytes = 100_000
        with pytest.raises(StoreUnavailableError, match="broke off"):
            store.get_bytes("a")


def test_listings_of_many_pages_are_whole_and_leave_out_what_is_not_ours(
    let_in: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PAGE", 3)
    location = fresh_location()
    store = let_in.store(tmp_path, location)
    names = sorted(f"k/{number}" for number in range(8))
    for name in names:
        store.put_bytes(name, b"")
    for foreign in ("k/", "k/.hidden", "k/a b"):
        store._client.put_object(Bucket=BUCKET, Key=f"{location.prefix}/{foreign}", Body=b"")
    store._client.put_object(Bucket=BUCKET, Key=f"{location.prefix}2/k/9", Body=b"")
    assert list(store.keys()) == names
    assert list(store.keys("k/")) == names


def test_uploads_that_a_killed_process_left_are_ended(
    let_in: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = fresh_location()
    store = let_in.store(tmp_path, location)
    begun = {"Bucket": BUCKET, "Key": f"{location.prefix}/half"}
    store._client.create_multipart_upload(**begun)
    (tmp_path / "large").write_bytes(bytes(s3.PART_BYTES + 1))
    let_in.store(tmp_path, location).put_file("a", tmp_path / "large")

    def unfinished() -> list[object]:
        return list(
            store._client.list_multipart_uploads(Bucket=BUCKET, Prefix=location.prefix).get("Uploads", ())
        )

    assert len(unfinished()) == 1, "it may go on yet"
    monkeypatch.setattr(s3, "_FORGOTTEN", datetime.timedelta(0))
    store.put_file("a", tmp_path / "large")
    assert unfinished() == []
    assert list(store.keys()) == ["a"]


def test_a_file_that_is_not_there_is_the_callers_failure(store: S3Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        store.put_file("a", tmp_path / "missing")
    assert not store.exists("a")
