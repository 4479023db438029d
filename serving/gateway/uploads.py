"""Receiving an upload: from the request straight into a file of our own, and no byte more than the limit."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from flask import Request
from werkzeug.formparser import FormDataParser

from serving.gateway.deadline import Deadline
from serving.gateway.raw_audio import RawAudio, raw_audio_of
from serving.gateway.refusals import HttpRefusalError, bad_request, too_large
from tidzam_platform.errors import EmptyAudioError
from tidzam_platform.files import partial_path

_LOG = logging.getLogger(__name__)
MULTIPART: Final = "multipart/form-data"
_CHUNK_BYTES: Final = 1 << 16
_MAX_PARTS: Final = 16
_MAX_FORM_BYTES: Final = 1 << 18  # of fields that are no files, which are kept in memory
ENVELOPE_BYTES: Final = 1 << 16  # of a multipart body, beside the file


class _BoundedFile:
    """A file that takes so many bytes and, once full, refuses the request; what a parser of forms writes into."""

    def __init__(self, file: IO[bytes], max_bytes: int, deadline: Deadline) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._deadline = deadline
        self.taken = 0

    def write(self, data: bytes) -> int:
        self.taken += len(data)
        require_bytes(self.taken, self._max_bytes)
        self._deadline.require()
        return self._file.write(data)

    def seek(self, _offset: int) -> int:
        """The parser rewinds what it has written for whoever reads it; here that is ffmpeg, by its path."""
        return 0


@contextlib.contextmanager
def received(request: Request, spool: Path, max_bytes: int, deadline: Deadline) -> Iterator[Path]:
    """Yield the file that a request brings; it is gone afterwards.

    The body is the file, or the one file of a form (``curl -F file=@NAME``), or samples, see ``raw_audio``. The name
    that the sender gives it is not looked at.

    Args:
        request: not read yet.
        spool: folder for it, which only we can read.
        max_bytes: the largest file.
        deadline: for receiving too.

    Raises:
        HttpRefusalError: too large (413), no form or not one file in it, or wrong parameters (400), no space (507).
        EmptyAudioError: it holds no bytes.
    """
    if request.content_encoding:
        raise HttpRefusalError(
            415,
            "unknown_encoding",
            "send the file as it is, without Content-Encoding: audio is compressed already",
        )
    require_bytes(request.content_length or 0, max_bytes + ENVELOPE_BYTES)
    request.max_content_length = max_bytes + ENVELOPE_BYTES + 1  # above what the application may have set
    raw = raw_audio_of(request.args.to_dict(), request.mimetype, request.mimetype_params)
    with partial_path(spool) as path:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                _fill(file, request, raw, max_bytes, deadline)
        except OSError as error:
            _LOG.error("an upload cannot be kept: %s", error)
            raise HttpRefusalError(
                507, "no_space", "the upload cannot be kept: the gateway's disk is full or broken"
            ) from error
        yield path


def require_bytes(count: int, max_bytes: int) -> None:
    """HttpRefusalError (413) beyond the limit."""
    if count > max_bytes:
        raise too_large(
            f"more than {max_bytes >> 20} MB, which is the limit: send it in parts, or compressed"
        )


def _fill(
    file: IO[bytes], request: Request, raw: RawAudio | None, max_bytes: int, deadline: Deadline
) -> None:
    if raw is not None:
        file.write(bytes(raw.header_bytes))
    target = _BoundedFile(file, max_bytes, deadline)
    if request.mimetype == MULTIPART:
        _fill_from_form(target, request)
    else:
        while chunk := request.stream.read(_CHUNK_BYTES):
            target.write(chunk)
    if not target.taken:
        raise EmptyAudioError("no bytes: send the file as the body, or as the one file of a form")
    if raw is not None:
        file.seek(0)
        file.write(raw.header(target.taken))


def _fill_from_form(target: _BoundedFile, request: Request) -> None:
    files = 0

    def take_file(**_: Any) -> IO[bytes]:
        nonlocal files
        files += 1
        if files > 1:
            raise bad_request("a form with several files: send one at a time")
        return cast("IO[bytes]", target)

    parser = FormDataParser(
        cast("Any", take_file), max_form_memory_size=_MAX_FORM_BYTES, max_form_parts=_MAX_PARTS, silent=False
    )
    try:
        parser.parse(request.stream, MULTIPART, request.content_length, request.mimetype_params)
    except ValueError as error:
        raise bad_request(f"this is no whole {MULTIPART} body: {error}") from error
    if not files:
        raise bad_request("a form without a file: curl -F file=@NAME sends one")
