"""One file of the archive while it is written: samples into an encoder, its pages into a hidden file."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.engine.encoding import EncoderProcess, PageBytes, PageSplitter, encoder_arguments
from streamer.engine.recording.file_spans import FileSpan
from streamer.engine.recording.partial_file import PartialFile
from streamer.engine.recording.plan import RecordingPlan
from streamer.engine.recording.recovery import finish_or_discard
from tidzam_platform.audio.archive_names import ArchiveName, format_archive_name, parse_archive_name
from tidzam_platform.errors import DecodingError, RecordingError

PAGE_S: Final = 1.0  # what a kill -9 may cost, and how often the disk is written to
STALL_S: Final = 60.0  # an encoder that takes and gives nothing for so long hangs
MAX_UNWRITTEN_BYTES: Final = 8 << 20  # half a minute of 30 channels at 64 kbit/s
_OPUS_HEAD: Final = b"OpusHead"
_PIPE_BYTES: Final = 1 << 20
_WAIT_S: Final = 0.5


class RecordingFile:
    """A file that is being recorded.

    The recorder's thread feeds and pumps it, and never touches the disk but to begin the file; the thread of the disk
    calls ``write_pages``, and then, when the recorder has let go of it, ``finish`` or ``salvage``.

    Args:
        plan: where it goes and how it is encoded.
        span: the frames that it shall hold.
        channels: of the source.

    Raises:
        RecordingError: the disk cannot be written to.
        MissingSystemPartError: ffmpeg is not installed.
    """

    def __init__(self, plan: RecordingPlan, span: FileSpan, channels: int) -> None:
        self.span = span
        name = format_archive_name(plan.database, span.local_time(plan.zone), plan.extension)
        self._partial = PartialFile.create(plan.folder, parse_archive_name(name))
        self.is_renamed = str(self._partial.name) != name
        arguments = encoder_arguments(
            plan.codec,
            rate_hz=span.rate_hz,
            channels=channels,
            bitrate_kbps=plan.bitrate_kbps,
            page_s=PAGE_S,
            tags=span.tags(plan.source),
        )
        try:
            self._encoder = EncoderProcess(arguments, pipe_bytes=_PIPE_BYTES)
        except BaseException:
            self._partial.discard()
            raise
        self._splitter = PageSplitter()
        self._pre_skip: int | None = None
        self._progress_s = time.monotonic()
        self._lock = threading.Lock()
        self._unwritten: deque[PageBytes] = deque()
        self._unwritten_bytes = 0
        self._failure: RecordingError | None = None  # of the disk's thread
        self.fed_frames = 0
        self.written_frames = 0

    @property
    def name(self) -> ArchiveName:
        """The name that it will have, unless somebody takes it meanwhile."""
        return self._partial.name

    @property
    def is_ready(self) -> bool:
        """Whether more may be fed: the encoder took all, and the disk is not too far behind."""
        return not self._encoder.unsent_bytes and self._unwritten_bytes < MAX_UNWRITTEN_BYTES

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Take the next frames, float32 ``[frames, channels]``."""
        if self.is_ready:
            self._progress_s = time.monotonic()  # it had nothing to do
        self._encoder.write(samples.astype("<f4", order="C", copy=False).tobytes())
        self.fed_frames += len(samples)

    def pump(self) -> bool:
        """Move on what can be moved without waiting; returns whether there are pages for the disk.

        Raises:
            RecordingError: the disk is full or broken, or the encoder ended or hangs.
        """
        if self._failure is not None:
            raise self._failure
        moved = self._move()
        now_s = time.monotonic()
        if moved or not self._encoder.unsent_bytes:
            self._progress_s = now_s
        elif now_s - self._progress_s > STALL_S:
            raise RecordingError(f"the encoder of {self.name} made no progress for {STALL_S:g} s")
        if self._encoder.has_ended:
            raise RecordingError(
                f"the encoder of {self.name} ended: {self._encoder.complaint or 'no reason given'}"
            )
        return bool(self._unwritten)

    def wait(self, timeout_s: float) -> None:
        """Wait until something can be moved, or ``timeout_s``."""
        self._encoder.wait(timeout_s)

    def write_pages(self) -> None:
        """Write the pages that are there; ``pump`` raises what goes wrong. By the disk's thread."""
        with self._lock:
            pages, self._unwritten = self._unwritten, deque()
        try:
            self._append(pages)
        except RecordingError as error:
            self._failure = error

    def finish(self) -> Path | None:
        """Encode what is left and give the file its name; returns where it lies, None if no audio was in it.

        Raises:
            RecordingError: the disk is full or broken, or the encoder failed; see ``salvage``.
        """
        self._encoder.end_input()
        progress_s = time.monotonic()
        while True:
            self.write_pages()
            if self._failure is not None:
                raise self._failure
            if self._encoder.has_ended:
                break
            self._encoder.wait(_WAIT_S)
            if self._move():
                progress_s = time.monotonic()
            elif time.monotonic() - progress_s > STALL_S:
                raise RecordingError(f"the encoder of {self.name} did not end within {STALL_S:g} s")
        code = self._encoder.exit_code()
        if code != 0:
            raise RecordingError(
                f"the encoder of {self.name} failed (exit code {code}): {self._encoder.complaint or 'no reason given'}"
            )
        self._encoder.close()
        return self._publish()

    def salvage(self) -> Path | None:
        """After an error: end the encoder and keep the whole pages; returns where they lie, None if there are none.

        Raises:
            RecordingError: they cannot be given their name; see ``abandon``.
        """
        self._encoder.close()
        if self._failure is None:
            self.write_pages()
        return self._publish()

    def abandon(self) -> None:
        """Let go of everything; the hidden file stays, and without its lock it is the next recovery's."""
        self._encoder.close()
        self._partial.close()

    def _publish(self) -> Path | None:
        try:
            return finish_or_discard(self._partial)
        except (OSError, DecodingError) as error:
            raise RecordingError(f"{self._partial.path} cannot be finished: {error}") from error

    def _move(self) -> bool:
        """Samples to the encoder, pages from it; returns whether anything moved."""
        sent = self._encoder.send()
        pages = self._splitter.feed(self._encoder.receive())
        with self._lock:
            self._unwritten.extend(pages)
            self._unwritten_bytes += sum(len(page.data) for page in pages)
        return bool(sent or pages)

    def _append(self, pages: deque[PageBytes]) -> None:
        if not pages:
            return
        data = b"".join(page.data for page in pages)
        self._partial.append(data)
        with self._lock:
            self._unwritten_bytes -= len(data)
        for page in pages:
            if self._pre_skip is None:
                head = page.data[page.body :]
                self._pre_skip = int.from_bytes(head[10:12], "little") if head.startswith(_OPUS_HEAD) else 0
            if page.granule > 0:
                self.written_frames = min(max(page.granule - self._pre_skip, 0), self.fed_frames)
