"""Where objects are, in one word: nothing for the folder in the home, or ``s3://bucket/prefix``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tidzam_platform.store.base import is_key

_SCHEME: Final = "s3://"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REMEDY: Final = "write s3://bucket or s3://bucket/prefix, or leave it empty for the folder in the home"


@dataclass(frozen=True)
class S3Location:
    """A bucket, and the prefix of all keys in it; an empty prefix is the whole bucket.

    Raises:
        ValueError: a name is not well formed.
    """

    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if _BUCKET.fullmatch(self.bucket) is None:
            raise ValueError(
                "the bucket's name is 3 to 63 small letters, digits, dots and hyphens, "
                f"a letter or digit at both ends: {_REMEDY}"
            )
        if self.prefix and not is_key(self.prefix):
            raise ValueError(
                "the prefix is segments of letters, digits and ._=- that begin with a letter or digit, "
                f"joined by /: {_REMEDY}"
            )

    @classmethod
    def parse(cls, text: str) -> S3Location:
        """Of ``s3://bucket/prefix``; ValueError otherwise. The text is not repeated: people put secrets into URLs."""
        if not text.startswith(_SCHEME):
            raise ValueError(f"this is no place for objects: {_REMEDY}")
        if "@" in text:
            raise ValueError(f"secrets do not belong here (docs/store.md says where): {_REMEDY}")
        bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
        return cls(bucket, prefix.removesuffix("/"))

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.prefix}".removesuffix("/")
