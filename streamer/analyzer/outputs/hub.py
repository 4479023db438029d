"""All outputs of a site: whoever hands something in never waits, neither for a disk nor for a network."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from streamer.analyzer.alerts.alert import Alert
from streamer.analyzer.alerts.channel_state import ChannelState
from streamer.analyzer.outputs.kinds import load_outputs
from streamer.analyzer.outputs.line import OutputLine
from streamer.analyzer.outputs.message import Message, message_of
from streamer.analyzer.outputs.prometheus import DetectionCounters
from streamer.engine.fetching.addresses import Resolver, system_resolver
from tidzam_platform.analyzer_sections import OutputsSettings
from tidzam_platform.clock import utc_now
from tidzam_platform.detections.detection import Detection

_LOG = logging.getLogger(__name__)
MAX_HANDED_IN: Final = 20_000
_AT_ONCE: Final = 500
_ROUND_S: Final = 0.5  # while a disk takes nothing, it is tried again so often
_STOP_S: Final = 13.0

Told = Detection | Alert | ChannelState


class Outputs:
    """Tells detections, alerts and states to those that the file of outputs names (docs/outputs.md).

    Args:
        settings: ``outputs.file``, without which nobody is told, ``queue_mb`` and ``keep_failed``.
        home: the data folder; queues are in ``spool/outputs``.
        resolver: who looks names up.

    Raises:
        RuleError: the file of outputs makes no sense.
    """

    def __init__(
        self, settings: OutputsSettings, home: Path, *, resolver: Resolver = system_resolver
    ) -> None:
        specifications = () if settings.file is None else load_outputs(settings.file)
        self._lines = [OutputLine(one, settings, home, resolver) for one in specifications]
        self._detections = DetectionCounters()
        self._handed_in: deque[tuple[Told, datetime]] = deque()
        self._dropped = 0
        self._lock = threading.Lock()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="outputs", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all outputs."""
        return tuple(line.specification.name for line in self._lines)

    @property
    def names_for_alerts(self) -> tuple[str, ...]:
        """Of those that are enabled and tell alerts: rules of alerts may name them."""
        specifications = [line.specification for line in self._lines]
        return tuple(one.name for one in specifications if one.enabled and "alert" in one.told)

    def start(self) -> None:
        """Begin to tell, first what still waits in the queues."""
        for line in self._lines:
            line.start()
        self._thread.start()

    def stop(self, timeout_s: float = _STOP_S) -> bool:
        """End: what was handed in is stored, what waits is told after the next start. Whether all ended in time."""
        end_s = time.monotonic() + timeout_s
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s / 2)
        for line in self._lines:  # first all, so that they end side by side
            line.ask_to_stop()
        ended = not self._thread.is_alive()
        for after, line in zip(range(len(self._lines), 0, -1), self._lines, strict=True):
            ended &= line.stop(max(0.0, end_s - time.monotonic()) / after)
        if self._handed_in:
            _LOG.error("%d messages for outputs are lost: no queue took them in time", len(self._handed_in))
        return ended

    def detection(self, detection: Detection) -> None:
        """A detection was decided. Any thread may say so; it never waits."""
        self._detections.add(detection)
        self._hand_in(detection)

    def alert(self, alert: Alert) -> None:
        """An alert is to be told; likewise."""
        self._hand_in(alert)

    def state(self, state: ChannelState) -> None:
        """A channel's condition changed; likewise."""
        self._hand_in(state)

    def status(self) -> list[dict[str, Any]]:
        """Each output: whom it tells, whether that works, and its counts."""
        return [line.status() for line in self._lines]

    def counts(self) -> dict[str, Any]:
        """For ``/metrics``: ``{name: value}``, or ``{name: {label: value}}`` with outputs, classes or channels."""
        counts: dict[str, Any] = {"outputs_not_handed_in_total": self._dropped, **self._detections.counts()}
        for line in self._lines:
            for name, value in line.counts().items():
                counts.setdefault(name, {})[line.specification.name] = value
        return counts

    def _hand_in(self, told: Told) -> None:
        if not self._lines:
            return
        with self._lock:  # never held for longer than it takes to note something
            if len(self._handed_in) >= MAX_HANDED_IN:
                self._handed_in.popleft()
                self._dropped += 1
            self._handed_in.append((told, utc_now()))
        self._wake.set()

    def _run(self) -> None:
        while True:
            is_last = self._stop.is_set()
            self._wake.clear()
            try:
                self._distribute()
            except Exception:  # noqa: BLE001 - logged; the next round goes on with what comes after
                _LOG.exception("outputs could not be served")
            if is_last:
                return
            self._wake.wait(_ROUND_S)

    def _distribute(self) -> None:
        """From memory into the queues."""
        while True:
            messages = self._some_messages()
            for line in self._lines:
                line.take(messages)
            if not messages:
                return

    def _some_messages(self) -> list[Message]:
        with self._lock:
            some = [self._handed_in.popleft() for _ in range(min(_AT_ONCE, len(self._handed_in)))]
        messages = []
        for told, made_at in some:
            try:
                message = message_of(told, made_at)
                message.as_json()
            except (
                ValueError,
                TypeError,
            ):  # e.g. a score that is no number: none of the others shall wait for it
                _LOG.exception("%r cannot be told", told)
                self._dropped += 1
            else:
                messages.append(message)
        return messages
