"""Erasing stretches of one recording on the disk: afterwards it is whole, or as it was before."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidzam_platform.archive.erased_tag import Span
from tidzam_platform.audio.sniffing import sniff
from tidzam_platform.erasing.ogg_files import erase_ogg
from tidzam_platform.erasing.other_files import erase_flac, erase_wav
from tidzam_platform.errors import ArchiveError, TidzamError
from tidzam_platform.files import (
    remove_empty_partial_folder,
    remove_leavings,
    sha256_of_file,
    whole_file,
)

_WAYS: Final[dict[str, tuple[str, Callable[[Path, Path, Sequence[Span]], tuple[Span, ...]]]]] = {
    "ogg": ("packets replaced by silence, all others bit by bit the same", erase_ogg),
    "wav": ("samples set to 0, all others bit by bit the same", erase_wav),
    "flac": ("encoded again without a loss", erase_flac),
}


@dataclass(frozen=True)
class ErasedFile:
    """A recording after it was erased.

    Attributes:
        spans: all silence that stands for erased audio, in s of the file; what was erased before too.
        size_bytes: of the new file.
        mtime_ns: of the new file.
        sha256: of the new file.
        way: how it was done, in words.
    """

    spans: tuple[Span, ...]
    size_bytes: int
    mtime_ns: int
    sha256: str
    way: str


def erase_file(path: Path, spans: Sequence[Span]) -> ErasedFile:
    """Replace what sounds within ``spans`` by silence; the length of the file in time does not change.

    Raises:
        ArchiveError: the file cannot be erased, or its time axis would change; it is as it was before.
    """
    from tidzam_platform.audio import probe

    with path.open("rb") as handle:
        container = sniff(handle).name
    if container not in _WAYS:
        raise ArchiveError(f"{path}: a {container} file cannot be erased in place: cut it yourself")
    way, erase = _WAYS[container]
    before = probe(path)
    remove_leavings(path.parent)  # of an erasing that was killed: what was to go may be in it
    with whole_file(path) as temporary:
        try:
            erased = erase(path, temporary, spans)
            after = probe(temporary)
        except TidzamError as error:
            raise ArchiveError(f"{path} was not erased: {error}") from error
        if (after.codec, after.channels) != (before.codec, before.channels) or abs(
            after.seconds - before.seconds
        ) > 1 / before.rate_hz:
            raise ArchiveError(
                f"{path} was not erased: it would last {after.seconds} s instead of {before.seconds} s"
            )
        shutil.copymode(path, temporary)
        sha256 = sha256_of_file(temporary)
    remove_empty_partial_folder(path.parent)
    status = path.stat()
    return ErasedFile(erased, status.st_size, status.st_mtime_ns, sha256, way)
