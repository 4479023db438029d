"""Objects in a bucket of S3, Amazon's or any server that speaks its API."""

from __future__ import annotations

import contextlib
import io
import logging
import random
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from tidzam_platform.clock import utc_now
from tidzam_platform.errors import ObjectNotFoundError, StoreError, StoreUnavailableError
from tidzam_platform.platform_sections import S3Settings
from tidzam_platform.store.base import SEGMENT, is_key, valid_key
from tidzam_platform.store.location import S3Location
from tidzam_platform.store.object_cache import ObjectCache
from tidzam_platform.store.s3_client import endpoint_of, make_client
from tidzam_platform.store.s3_errors import CONFLICT, FAILED_CONDITION, UNCHANGED, asking, code_of

PART_BYTES: Final = (
    16 << 20
)  # larger files go in parts of this size; S3 takes 10,000 of them, each 5 MiB at least
_PARTS_AT_ONCE: Final = 4
_BLOCK_BYTES: Final = 1 << 20
_PAGE: Final = 1000  # keys in an answer, as many as S3 gives
_FORGOTTEN: Final = timedelta(days=1)  # an upload in parts that takes so long was killed
_PAUSE_S: Final = 0.5  # the first before another try, doubled each time, with jitter
_BEGINNING: Final = re.compile(rf"(?:{SEGMENT}/)*(?:{SEGMENT})?")
_LOG: Final = logging.getLogger(__name__)


class S3Store:
    """An object store below a prefix of a bucket. Key ``a/b`` is the object ``prefix/a/b``.

    S3 itself makes every write atomic, in parts too. For any number of threads; making one asks nothing.

    Args:
        location: bucket and prefix.
        settings: the section ``s3``.
        cache_folder: where files of objects are kept, as much as ``settings.cache_mb``.
        credentials_file: see ``make_client``.

    Raises:
        StoreRefusedError: see ``make_client``.
    """

    def __init__(
        self, location: S3Location, settings: S3Settings, cache_folder: Path, credentials_file: Path
    ) -> None:
        self._bucket = location.bucket
        self._prefix = f"{location.prefix}/" if location.prefix else ""
        self._attempts = settings.attempts
        self._client = make_client(settings, credentials_file)
        endpoint = endpoint_of(self._client)
        self._where = f"{location} at {endpoint}"
        self._identity = f"{endpoint}/{self._bucket}/{self._prefix}"
        self._cache = ObjectCache(cache_folder, settings.cache_mb << 20)
        self._lock = threading.Lock()
        self._has_tidied = False

    def __str__(self) -> str:
        return self._where

    def check(self) -> None:
        """Ask the server once whether bucket, access key, secret and clock are good; StoreError if not."""
        # A listing: the answer to HEAD has no body, which would say what is wrong.
        with asking(self._where, "a listing"):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def put_bytes(self, key: str, data: bytes) -> None:
        """Store ``data`` under ``key``, replacing what was there."""
        with self._asking(key):
            self._client.put_object(Bucket=self._bucket, Key=self._name(key), Body=data)

    def put_once(self, key: str, data: bytes) -> bool:
        """Store ``data`` unless an object is there; whether what is there now holds these very bytes."""
        for pause_s in self._pauses():
            try:
                with self._asking(key):
                    self._client.put_object(
                        Bucket=self._bucket, Key=self._name(key), Body=data, IfNoneMatch="*"
                    )
            except StoreError as error:
                code = code_of(error.__cause__) if isinstance(error.__cause__, Exception) else ""
                if code not in (*FAILED_CONDITION, *CONFLICT):
                    raise
                with contextlib.suppress(ObjectNotFoundError):  # it is being written, or was removed just now
                    return self.get_bytes(key) == data
            else:
                return True
            time.sleep(pause_s)
        raise StoreUnavailableError(
            f"object {key!r} of {self._where} is being changed all the time: try later"
        )

    def put_file(self, key: str, path: Path) -> None:
        """Store a copy of the file at ``path`` under ``key``, replacing what was there."""
        with self._asking(key):
            try:
                if path.stat().st_size > PART_BYTES:
                    self._put_in_parts(key, path)
                    return
                with path.open("rb") as handle:
                    self._client.put_object(Bucket=self._bucket, Key=self._name(key), Body=handle)
            except OSError as error:
                raise StoreError(f"object {key!r} cannot be stored in {self._where}: {error}") from error

    def get_bytes(self, key: str) -> bytes:
        """The object's bytes; ObjectNotFoundError if there is none."""
        buffer = io.BytesIO()
        self._fetch(key, None, buffer)
        return buffer.getvalue()

    @contextlib.contextmanager
    def as_file(self, key: str) -> Iterator[Path]:
        """A file with the object's bytes, which are only fetched if they changed since; not to be written to."""
        valid_key(key)

        def fetch(known: str | None, path: Path) -> str | None:
            temporary = path.with_name(f"{path.name}.partial") if known else path
            with temporary.open("wb") as handle:
                version = self._fetch(key, known, handle)
            if known:
                temporary.replace(path) if version is not None else temporary.unlink()
            return version

        with self._cache.file(f"{self._identity}{key}", fetch) as file:
            yield file

    def exists(self, key: str) -> bool:
        """Whether there is an object under ``key``."""
        try:
            self.size_bytes(key)
        except ObjectNotFoundError:
            return False
        return True

    def size_bytes(self, key: str) -> int:
        """The object's length in bytes; ObjectNotFoundError if there is none."""
        with self._asking(key):
            return int(self._client.head_object(Bucket=self._bucket, Key=self._name(key))["ContentLength"])

    def delete(self, key: str) -> None:
        """Remove the object; a key that holds none is fine."""
        with contextlib.suppress(ObjectNotFoundError), self._asking(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._name(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with ``prefix``, in ascending order; objects of others, with other names, are left out."""
        if _BEGINNING.fullmatch(prefix) is None:  # no key begins so
            return
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, PaginationConfig={"PageSize": _PAGE}
        )
        with asking(self._where, "a listing"):
            for page in pages:
                found = (entry["Key"].removeprefix(self._prefix) for entry in page.get("Contents", ()))
                yield from filter(is_key, found)

    def _name(self, key: str) -> str:
        return self._prefix + valid_key(key)

    def _asking(self, key: str) -> contextlib.AbstractContextManager[None]:
        return asking(self._where, f"object {key!r}")

    def _pauses(self) -> Iterator[float]:
        """One a try, in seconds."""
        for number in range(self._attempts):
            yield _PAUSE_S * 2**number * random.uniform(0.5, 1)  # noqa: S311 - no secret

    def _put_in_parts(self, key: str, path: Path) -> None:
        from boto3.s3.transfer import TransferConfig

        self._tidy()
        how = TransferConfig(
            multipart_threshold=PART_BYTES,
            multipart_chunksize=PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
            preferred_transfer_client="classic",
        )
        self._client.upload_file(str(path), self._bucket, self._name(key), Config=how)

    def _tidy(self) -> None:
        """Once a process: end the uploads in parts that killed processes left, which cost money and are not seen."""
        with self._lock:
            if self._has_tidied:
                return
            self._has_tidied = True
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=self._prefix
        )
        try:
            with asking(self._where, "unfinished uploads"):
                for upload in (upload for page in pages for upload in page.get("Uploads", ())):
                    if utc_now() - upload["Initiated"] > _FORGOTTEN:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
        except StoreError as error:  # not everybody may; what is to be stored now does not depend on it
            _LOG.warning("unfinished uploads stay in %s: %s", self._where, error)

    def _fetch(self, key: str, known: str | None, target: BinaryIO | io.BytesIO) -> str | None:
        """Write the object into ``target``, going on where a connection broke; its ETag, None if it is ``known``."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError

        done, tag = 0, ""
        broken = (HTTPClientError, IncompleteReadError, ResponseStreamingError)
        with self._asking(key):
            for pause_s in self._pauses():
                wanted: dict[str, Any] = {"IfNoneMatch": f'"{known}"'} if known else {}
                if done:
                    wanted = {"IfMatch": tag, "Range": f"bytes={done}-"}
                try:
                    answer = self._ask(key, wanted)
                except _OtherwiseError as error:
                    if error.is_unchanged:
                        return None
                    done = 0  # it was replaced meanwhile
                    target.seek(0)
                    target.truncate()
                    continue
                tag = str(answer["ETag"])
                with contextlib.closing(answer["Body"]) as body:
                    last = None
                    try:
                        for block in body.iter_chunks(_BLOCK_BYTES):
                            target.write(block)
                            done += len(block)
                    except broken as error:
                        last = error
                if last is None:
                    return tag.strip('"')
                _LOG.info("object %r of %s broke off after %d bytes: %s", key, self._where, done, last)
                time.sleep(pause_s)
        raise StoreUnavailableError(f"object {key!r} of {self._where} broke off again and again: try later")

    def _ask(self, key: str, wanted: dict[str, Any]) -> Any:
        from botocore.exceptions import ClientError

        try:
            return self._client.get_object(Bucket=self._bucket, Key=self._name(key), **wanted)
        except ClientError as error:
            code = code_of(error)
            if code in UNCHANGED or (code in FAILED_CONDITION and "IfMatch" in wanted):
                raise _OtherwiseError(is_unchanged=code in UNCHANGED) from error
            raise


class _OtherwiseError(Exception):
    """A condition of ours does not hold: the object is as known, or it was replaced."""

    def __init__(self, *, is_unchanged: bool) -> None:
        super().__init__()
        self.is_unchanged = is_unchanged
