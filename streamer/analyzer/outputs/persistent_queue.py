"""The queue of an output: on disk, and in memory for as long as the disk takes nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streamer.analyzer.outputs.message import Message
from streamer.analyzer.outputs.message_file import MessageFile, Waiting
from streamer.analyzer.outputs.queue_schema import TOTALS
from tidzam_platform.errors import OutputError

_LOG = logging.getLogger(__name__)
MAX_HELD: Final = 10_000  # messages in memory
_MAX_DONE: Final = 200_000  # ids in memory of what was told and cannot be removed; then nothing more is told
_AT_ONCE: Final = 200  # stored together
_SAY_S: Final = 60.0


class PersistentQueue:
    """Messages wait on disk until they are told or put aside; safe to use from several threads.

    A disk that is full or gone raises nothing: what it does not take is held in memory, and told from there. Of that
    the oldest go where it is too much. What was told and cannot be removed is remembered, and not told again.

    Args:
        file: see MessageFile; it is opened when something is stored or asked for.
        max_bytes: of the file.
        keep_failed: of the file.

    Attributes:
        lost: messages that neither disk nor memory had room for.
        refusal: why the disk takes nothing now; empty while it does.
    """

    def __init__(self, file: Path, *, max_bytes: int, keep_failed: int) -> None:
        self._path, self._max_bytes, self._keep_failed = file, max_bytes, keep_failed
        self._file: MessageFile | None = None
        self._lock = threading.Lock()  # of what is in memory; never held while the disk is waited for
        self._opening, self._storing = threading.Lock(), threading.Lock()
        self._held: dict[str, Waiting] = {}
        self._done: dict[
            str, bool
        ] = {}  # ids of what may still be on disk; True: it was told, False: it is lost
        self._unremoved = 0  # how many of them are on disk for certain
        self._after = 0  # what is on disk up to this number was told
        self._said_s = -_SAY_S
        self.lost = 0
        self.refusal = ""

    def close(self) -> None:
        """Close the file. What is in memory alone is lost, and counted. May be called again."""
        if self._held or self._done:
            self.store()
        with self._lock:
            self.lost += len(self._held)
            if self._held:
                _LOG.error("%s: %d messages could not be stored and are lost", self._path, len(self._held))
            self._held.clear()
        if self._file is not None:
            self._file.close()

    @property
    def totals(self) -> dict[str, int]:
        """As ``MessageFile.totals``, with what is in memory; waits for nothing."""
        totals = dict.fromkeys(TOTALS, 0) if self._file is None else dict(self._file.totals)
        totals["waiting"] += len(self._held) - self._unremoved
        totals["delivered"] += sum(self._done.copy().values())
        totals["dropped"] += self.lost
        return totals

    def put(self, messages: Sequence[Message]) -> None:
        """Let them wait."""
        with self._lock:
            for message in messages:
                if message.replaces is not None:
                    for other in [
                        one for one in self._held.values() if one.message.replaces == message.replaces
                    ]:
                        del self._held[other.message.id]
                self._held.setdefault(message.id, Waiting(message))
            while len(self._held) > MAX_HELD:
                del self._held[next(iter(self._held))]
                self.lost += 1
        self.store()

    def store(self) -> None:
        """Bring the disk up to date, as far as it lets us."""
        with self._storing:
            try:
                file = self._opened()
                self._remove_done(file)
                self._store_held(file)
                self.refusal = ""
            except OutputError as error:
                self._refused_by_disk(error)

    def first(self, limit: int) -> list[Waiting]:
        """The ``limit`` messages that wait longest, those on disk before those in memory."""
        with self._storing:  # or one could go to the disk unseen while a later one is still in memory
            if len(self._done) >= _MAX_DONE:
                return []
            found: list[Waiting] = []
            try:
                found = self._opened().first(limit, self._after)
            except OutputError as error:
                self._refused_by_disk(error)
            with self._lock:
                stored = {one.message.id for one in found}
                found += [one for identity, one in self._held.items() if identity not in stored]
                return [one for one in found if one.message.id not in self._done][:limit]

    def delivered(self, waiting: Sequence[Waiting]) -> None:
        """They were told, and are not told again."""
        with self._lock:
            for one in waiting:
                self._note_done(one, was_told=True)
        self.store()

    def attempted(self, waiting: Waiting) -> int:
        """The output answered it with a failure; returns how often it has by now."""
        attempts = waiting.attempts + 1
        identity = waiting.message.id
        with self._lock:
            if identity in self._held:
                self._held[identity] = Waiting(waiting.message, attempts)
        try:
            self._opened().attempted(identity)
        except OutputError as error:
            self._refused_by_disk(error)
        return attempts

    def refused(self, waiting: Waiting, reason: str) -> None:
        """Put it aside, for a person to see and to try again; where the disk takes nothing it is lost, and counted."""
        try:
            self._opened().refused(waiting.message, reason)
        except OutputError as error:
            self._refused_by_disk(error)
            with self._lock:
                self._note_done(waiting, was_told=False)
                self.lost += 1
        else:
            with self._lock:
                self._held.pop(waiting.message.id, None)

    def note(self, name: str, value: str) -> None:
        """Keep a remark for people who look from another process."""
        try:
            self._opened().note(name, value)
        except OutputError as error:
            self._refused_by_disk(error)

    def _opened(self) -> MessageFile:
        with self._opening:
            if self._file is None:
                self._file = MessageFile(self._path, max_bytes=self._max_bytes, keep_failed=self._keep_failed)
                if self._file.put_aside is not None:
                    _LOG.error("%s was damaged, and is now %s", self._path, self._file.put_aside)
            return self._file

    def _note_done(self, waiting: Waiting, *, was_told: bool) -> None:
        self._held.pop(waiting.message.id, None)
        self._done[waiting.message.id] = was_told
        self._unremoved += waiting.number > 0
        self._after = max(self._after, waiting.number)

    def _store_held(self, file: MessageFile) -> None:
        while some := self._some_held():
            file.put([one.message for one in some])
            with self._lock:
                for one in some:
                    self._held.pop(one.message.id, None)

    def _some_held(self) -> list[Waiting]:
        with self._lock:
            return [one for one in self._held.values() if one.message.id not in self._done][:_AT_ONCE]

    def _remove_done(self, file: MessageFile) -> None:
        with self._lock:
            done = dict(self._done)
        if done:
            file.done(done.keys(), delivered=sum(done.values()))
            with self._lock:
                for identity in done:
                    self._done.pop(identity, None)
                if not self._done:
                    self._after = self._unremoved = 0

    def _refused_by_disk(self, error: OutputError) -> None:
        self.refusal = str(error)
        if time.monotonic() - self._said_s > _SAY_S:
            self._said_s = time.monotonic()
            _LOG.warning("%s; what shall be told is held in memory", error)
