"""Keeps a source playing: runs its table of states, starts it again after faults, never gives up a permanent one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from streamer.engine.fetching import Cancellation
from streamer.engine.rings import SourceRing
from streamer.engine.shortage import shortage
from streamer.engine.sources.attempt import Attempt, Feed, SourceMemory
from streamer.engine.sources.backoff import Backoff
from streamer.engine.sources.context import SourceContext
from streamer.engine.sources.source_ports import SourcePorts
from streamer.engine.sources.specification import SourceKind, SourceSpecification
from streamer.engine.sources.start_slots import StartSlot, released
from streamer.engine.sources.states import ENDED, SourceState, StateMachine, Transition
from tidzam_platform.archive.exact_start import format_ns
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import (
    AudioNotFoundError,
    EngineError,
    FetchError,
    MissingSystemPartError,
    SourceError,
    TidzamError,
)
from tidzam_platform.names import channel as channel_name

_LOG = logging.getLogger(__name__)

# A source that is not permanent is given up when it fails so often in a row; at once if it never gave a sample.
MAX_FAILURES: Final = 3
# A permanent one warns when it has failed so often in a row, and again at each tenfold of it.
WARN_FAILURES: Final = 5
# What no waiting mends (an address that is refused, a file that is not there) is tried as much more rarely.
_HOPELESS_TIMES: Final = 8.0
_TOO_SHORT_S: Final = 1.0  # a file that ends sooner is not begun again at once
STOP_S: Final = 30.0
"""How long a source may take to end: its recorder finishes a file meanwhile."""
_BEGINNING: Final = frozenset({SourceState.IDLE, SourceState.WAITING, SourceState.STARTING})


class _Outcome(NamedTuple):
    """What became of an attempt: how it ended, or what went wrong; seconds since its first sample."""

    ended: str
    failure: TidzamError | None
    played_s: float


class SourceSupervisor:
    """One source and its thread. Started once, stopped once.

    Args:
        specification: of the source.
        kind: where its audio comes from.
        feed: what gives its audio.
        context: what all sources share.
        on_end: called, in the source's thread, when it has let go of its ports, however it ended.

    Raises:
        EngineError: the system has no more descriptors.
    """

    def __init__(
        self,
        specification: SourceSpecification,
        kind: SourceKind,
        feed: Feed,
        context: SourceContext,
        *,
        on_end: Callable[[SourceSupervisor], None] = lambda _supervisor: None,
    ) -> None:
        self.specification, self.kind, self.feed = specification, kind, feed
        self._context, self._on_end = context, on_end
        self.memory = SourceMemory()
        self._ports = SourcePorts(
            specification.name,
            context.graph,
            context.folder,
            context.settings.sources.buffer_s,
            on_opened=self._ring_opened,
            on_closed=self._ring_closed,
        )
        self._machine = StateMachine(monotonic=context.monotonic, on_step=self._told)
        self._backoff = Backoff(context.settings.sources.backoff_max_s, chance=context.chance)
        self._cancellation = Cancellation()
        self._stepped = threading.Condition()
        self._has_begun = False
        self._starts = 0
        self._last_failure, self._last_failure_code, self._hopeless = "", "", False
        self.ended_by_itself = False
        """Whether it has ended without being told to; known when ``on_end`` is called."""
        self._thread = threading.Thread(target=self._run, name=f"source-{specification.name}", daemon=True)

    @property
    def name(self) -> str:
        """Of the source."""
        return self.specification.name

    @property
    def state(self) -> SourceState:
        """What it is doing."""
        return self._machine.state

    @property
    def has_ended(self) -> bool:
        """Whether it will not play any more."""
        return self.state in ENDED

    @property
    def last_failure(self) -> str:
        """What went wrong last; empty if nothing ever did."""
        return self._last_failure

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end, and has not done so yet, whatever its state says."""
        return self._cancellation.is_cancelled and not self.has_ended

    def start(self) -> None:
        """Begin; EngineError if the system has no more threads."""
        try:
            self._thread.start()
        except RuntimeError as error:
            self._cancellation.close()
            raise shortage(error) or EngineError(str(error)) from error

    def wait_begun(self, timeout_s: float) -> None:
        """Wait until it has played, ended or failed, once, for so long at most."""
        with self._stepped:
            self._stepped.wait_for(lambda: self._has_begun, timeout_s)

    def cancel(self) -> None:
        """Begin to end it; ``stop`` waits for it."""
        self._cancellation.cancel()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End it, ports and ring too; returns when it is done.

        Raises:
            EngineError: it does not end within ``timeout_s``: a disk or device hangs. It ends when that goes on.
        """
        if self._thread.ident is None:
            self._cancellation.close()
            return
        self._cancellation.cancel()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                raise EngineError(
                    f"source {self.name!r} does not end within {timeout_s:g} s: its disk or device hangs"
                )

    def status(self, *, with_history: bool = False) -> dict[str, Any]:
        """For people and metrics; JSON can say it. Any thread may ask."""
        transitions = self._machine.transitions
        memory = self.memory
        ring = self._ports.status()
        if memory.foreign_ports:
            names = [channel_name(self.name, number + 1) for number in range(len(memory.foreign_ports))]
            ring |= {"ports": names}
        status = {
            "name": self.name,
            "kind": self.kind.value,
            "state": self.state.value,
            "reason": transitions[-1].reason if transitions else "",
            "state_since": format_utc(transitions[-1].utc) if transitions else None,
            "state_for_s": round(self._machine.for_s, 1),
            "transitions": self._machine.steps,
            "silent": memory.is_silent,
            "channels": ring["ports"],
            "input_channels": list(memory.chosen),
            "time": None if ring["utc_ns"] is None else format_ns(ring["utc_ns"]),
            "url": self.specification.shown_url,
            "is_permanent": self.specification.is_permanent,
            "record": self.specification.record,
            "waiting_frames": ring["waiting_frames"],
            "drift_ppm": round(memory.controller.ppm, 2),
            "clock_ppm": round(memory.controller.clock_ppm, 2),
            "metadata": dict(memory.metadata),
            "details": dict(memory.details),
            "ending": self.is_ending,
            "last_failure": self._last_failure,
            "last_failure_code": self._last_failure_code,
            "hopeless": self._hopeless,
            "counts": {
                **ring["counts"],
                **memory.counts.as_dict(),
                "starts": self._starts,
                "failures_in_a_row": self._backoff.failures,
            },
            "specification": self.specification.as_dict(),
        }
        if with_history:
            status["history"] = [transition.as_dict() for transition in transitions]
        return status

    def _run(self) -> None:
        reason: str | None = "it was added"
        try:
            while reason is not None:
                reason = self._tried(reason)
        except TidzamError as error:  # an illegal step: a fault of ours
            _LOG.exception("source %s", self.name)
            self._note_failure(str(error), error)
        finally:
            self._end()

    def _tried(self, reason: str) -> str | None:
        """Try to play it; the reason to start again, or None when it is over."""
        self._machine.step(SourceState.WAITING, f"{reason}; it waits until fewer other sources are starting")
        slot = self._context.slots.acquire(self._cancellation, self._backoff.failures)
        if slot is None:
            return None
        with released(slot):
            self._machine.step(SourceState.STARTING, "its turn to start has come")
            outcome = self._attempted(slot)
        return None if self._cancellation.is_cancelled else self._after(outcome)

    def _attempt(self, slot: StartSlot, cancellation: Cancellation) -> Attempt:
        self._starts += 1

        def sounding() -> None:
            slot.release()
            self._machine.step(SourceState.PLAYING, "samples come")

        def stalled(reason: str) -> None:
            self._machine.step(SourceState.STALLED, reason)

        def asking(waits: bool) -> None:
            if waits:
                slot.lend()
            else:
                slot.keep(cancellation)

        return Attempt(
            self.specification,
            self._context,
            self._ports,
            self.memory,
            cancellation,
            on_sounding=sounding,
            on_stalled=stalled,
            on_asking=asking,
        )

    def _attempted(self, slot: StartSlot) -> _Outcome:
        attempt: Attempt | None = None
        ended, failure = "", None
        try:
            with self._cancellation.child() as cancellation:
                attempt = self._attempt(slot, cancellation)
                ended = self.feed.run(attempt)
        except TidzamError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - no fault, of the system or ours, may silence a source for ever
            failure = shortage(error)
            if failure is None:
                _LOG.exception("source %s broke by a fault of the engine", self.name)
                failure = EngineError(f"a fault of the engine ({type(error).__name__}); its log says more")
        return _Outcome(ended, failure, 0.0 if attempt is None else attempt.played_s)

    def _after(self, outcome: _Outcome) -> str | None:
        """What to do after an attempt: the reason to start again, or None when it is over."""
        ended, failure, played_s = outcome
        ring = self._ports.ring
        if ring is not None:
            ring.finish()  # what waits is still played
        permanent = self.specification.is_permanent
        if failure is None and not permanent:
            self._machine.step(SourceState.STOPPING, ended)
            return None
        if failure is None and played_s >= _TOO_SHORT_S:
            self._backoff.reset()
            return f"{ended}: it begins again"
        if failure is None:
            self._note_failure(f"{ended}, too soon to begin again at once", failure)
        else:
            self._note_failure(str(failure), failure)
        self._backoff.note_played(played_s)
        never_sounded = played_s == 0.0 and self._backoff.failures == 0
        if not permanent and (never_sounded or self._backoff.failures + 1 >= MAX_FAILURES):
            self._machine.step(SourceState.FAILED, self._last_failure)
            return None
        wait_s = self._backoff.wait_s() * (_HOPELESS_TIMES if self._hopeless else 1.0)
        self._machine.step(SourceState.BACKING_OFF, f"{self._last_failure}; again in {wait_s:.1f} s")
        self._warn()
        try:
            self._cancellation.sleep_until(time.monotonic() + wait_s)
        except FetchError:
            return None
        return f"try {self._backoff.failures + 1} after: {self._last_failure}"

    def _note_failure(self, said: str, failure: TidzamError | None) -> None:
        self._last_failure = said
        self._last_failure_code = type(failure or FetchError("")).__name__
        self._hopeless = _is_hopeless(failure)

    def _warn(self) -> None:
        failures = self._backoff.failures
        while failures > WARN_FAILURES and failures % 10 == 0:
            failures //= 10
        if failures == WARN_FAILURES:
            self._context.tell(
                "source_warning",
                source=self.name,
                reason=f"it has failed {self._backoff.failures} times in a row, last: {self._last_failure}",
            )

    def _end(self) -> None:
        self.ended_by_itself = not self._cancellation.is_cancelled
        if self.state not in (SourceState.FAILED, SourceState.STOPPING):
            self._machine.step(SourceState.STOPPING, "it was removed")
        try:
            self._context.tell_ports(self.specification, ())  # also where its ports failed to come back
            self._ports.close()
        except TidzamError as error:
            _LOG.error("source %s: its ports could not be closed: %s", self.name, error)
        finally:
            if self.state is SourceState.STOPPING:
                self._machine.step(SourceState.STOPPED, self._machine.transitions[-1].reason)
            self._cancellation.close()
            self._on_end(self)

    def _told(self, transition: Transition) -> None:
        with self._stepped:
            self._has_begun = self._has_begun or transition.after not in _BEGINNING
            self._stepped.notify_all()
        self._context.tell(
            "source",
            source=self.name,
            state=transition.after.value,
            reason=transition.reason,
            utc=format_utc(transition.utc),
        )

    def _ring_opened(self, ring: SourceRing) -> None:
        self._context.hooks.on_ring_opened(self.name, ring, self.specification)

    def _ring_closed(self, ring: SourceRing) -> None:
        self._context.hooks.on_ring_closed(self.name, ring, self.specification)


def _is_hopeless(failure: TidzamError | None) -> bool:
    if isinstance(failure, AudioNotFoundError | MissingSystemPartError):
        return True
    return isinstance(failure, SourceError) and not isinstance(failure, FetchError)
