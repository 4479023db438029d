"""One output with all that is its own: its queue, its plug-in, its thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.analyzer.outputs.delivery import STOP_S, Delivery
from streamer.analyzer.outputs.kinds import Specification, make_output
from streamer.analyzer.outputs.message import Message
from streamer.analyzer.outputs.persistent_queue import PersistentQueue
from streamer.analyzer.outputs.places import identity_of, queue_file
from streamer.engine.fetching.addresses import Resolver
from tidzam_platform.analyzer_sections import OutputsSettings


class OutputLine:
    """From the hub to an output. Whoever calls ``take`` waits for a disk at most; nothing else of it waits."""

    def __init__(
        self, specification: Specification, settings: OutputsSettings, home: Path, resolver: Resolver
    ) -> None:
        self.specification = specification
        self._queue = PersistentQueue(
            queue_file(home, specification.name),
            max_bytes=settings.queue_mb << 20,
            keep_failed=settings.keep_failed,
        )
        self._delivery: Delivery | None = None
        if specification.enabled:
            output = make_output(specification, identity=identity_of(home), resolver=resolver)
            self._delivery = Delivery(specification, output, self._queue)

    def start(self) -> None:
        """Begin to tell, first what still waits."""
        if self._delivery is not None:
            self._delivery.start()

    def take(self, messages: Sequence[Message]) -> None:
        """Let those that are for this output wait; called without any, it stores what is still in memory."""
        if self._delivery is None:
            return
        concerned = [message for message in messages if self.specification.concerns(message)]
        if concerned:
            self._queue.put(concerned)
            self._delivery.wake()
        elif self._queue.refusal:
            self._queue.store()

    def ask_to_stop(self) -> None:
        """It shall end soon; returns at once."""
        if self._delivery is not None:
            self._delivery.ask_to_stop()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """End; what waits on disk is told after the next start. Returns whether it ended in time."""
        ended = self._delivery is None or self._delivery.stop(timeout_s)
        self._queue.close()
        return ended

    def status(self) -> dict[str, Any]:
        """For people; see docs/outputs.md."""
        off = {"state": "off", "down_since": None, "reason": ""}
        totals = self._queue.totals
        return {
            "name": self.specification.name,
            "kind": self.specification.kind,
            "to": self.specification.target,
            **(off if self._delivery is None else self._delivery.status()),
            "disk": self._queue.refusal,
            "waiting": totals["waiting"],
            "delivered": totals["delivered"],
            "refused": totals["refused"],
            "dropped": totals["dropped"],
        }

    def counts(self) -> dict[str, int]:
        """Numbers by name, for ``/metrics``."""
        totals = self._queue.totals
        tries = {"tries": 0, "failures": 0} if self._delivery is None else self._delivery.counts()
        return {
            "output_waiting": totals["waiting"],
            "output_waiting_bytes": totals["bytes"],
            "output_down": int(self._delivery is not None and self._delivery.is_down),
            "output_disk_refuses": int(bool(self._queue.refusal)),
            "output_delivered_total": totals["delivered"],
            "output_dropped_total": totals["dropped"],
            "output_refused_total": totals["refused"],
            "output_tries_total": tries["tries"],
            "output_failures_total": tries["failures"],
        }
