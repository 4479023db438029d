"""The interface that every object store fulfils; ``tests/store`` holds its conformance suite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from tidzam_platform.errors import InvalidNameError

MAX_KEY_LENGTH: Final = 512
SEGMENT: Final = r"[A-Za-z0-9][A-Za-z0-9._=-]{0,254}"  # as long as a file's name may be
_KEY: Final = re.compile(rf"{SEGMENT}(?:/{SEGMENT})*")


def valid_key(key: str) -> str:
    """Return ``key`` if it is well formed, else raise InvalidNameError.

    Segments of letters, digits and ``._=-`` that begin with a letter or digit, joined by ``/``: no key can
    leave the store's folder, be hidden or be taken for an option.
    """
    if not is_key(key):
        raise InvalidNameError(f"{key!r} is no key of the store")
    return key


def is_key(text: str) -> bool:
    """Whether ``text`` is a well-formed key, see ``valid_key``."""
    return len(text) <= MAX_KEY_LENGTH and _KEY.fullmatch(text) is not None


class ObjectStore(Protocol):
    """Whole objects by key.

    Every write is atomic: a reader sees the old object or the new one, never a part. Every method raises
    InvalidNameError for a key that is not well formed, and StoreError where the store fails. A key must not
    be the folder of another (``a`` beside ``a/b``): not every store can hold both.
    """

    def check(self) -> None:
        """Whether the store can be used, asked cheaply: StoreError says what is wrong and how to mend it."""
        ...

    def put_bytes(self, key: str, data: bytes) -> None:
        """Store ``data`` under ``key``, replacing what was there."""
        ...

    def put_once(self, key: str, data: bytes) -> bool:
        """Store ``data`` under ``key`` unless an object is there, which is left as it is.

        Atomic in a local folder and on Amazon's S3. Some servers (OpenStack Swift) look before they receive the bytes:
        of two calls at the same moment the later replaces the other there. So use it for keys that name their content.

        Returns:
            Whether the object that is there now holds these very bytes: the same call may be made again.
        """
        ...

    def put_file(self, key: str, path: Path) -> None:
        """Store a copy of the file at ``path`` under ``key``, replacing what was there."""
        ...

    def get_bytes(self, key: str) -> bytes:
        """The object's bytes; ObjectNotFoundError if there is none."""
        ...

    def as_file(self, key: str) -> AbstractContextManager[Path]:
        """A readable file with the object's bytes while the context lasts; not to be written to."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object under ``key``."""
        ...

    def size_bytes(self, key: str) -> int:
        """The object's length; ObjectNotFoundError if there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; a key that holds none is fine."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with ``prefix`` (any text, not only a folder's name), in ascending order."""
        ...
