"""The alerts of a site: fed with windows as they are cut and with detections, it tells when a rule wants it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from streamer.analyzer.alerts.alert import Alert
from streamer.analyzer.alerts.channel_state import ChannelState, Condition
from streamer.analyzer.alerts.class_counts import ClassCounts
from streamer.analyzer.alerts.cooldowns import Cooldowns
from streamer.analyzer.alerts.measuring import soundness
from streamer.analyzer.alerts.microphone_watch import MicrophoneWatch
from streamer.analyzer.alerts.microphones import Microphones
from streamer.analyzer.alerts.rules import load_alert_rules
from streamer.analyzer.windows import Moment
from streamer.engine.reserved_names import LIVE_STREAMS
from tidzam_platform.analyzer_sections import OutputsSettings
from tidzam_platform.clock import utc_now
from tidzam_platform.detections.detection import Detection

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
_STOP_S: Final = 5.0


class Alerts:
    """Safe to use from several threads; nothing but its own thread waits for a disk.

    Args:
        settings: ``outputs.alerts_file`` and ``outputs.silent_s``.
        home: the data folder; when rules were told last is kept there.
        on_alert: told of each alert, in the thread that fed it or in that of the alerts; must not block.
        on_state: told of each change of a channel's condition, and that a channel is gone; must neither block nor call
            back.
        outputs: names of the outputs that are enabled and tell alerts, so that rules can name none else; None leaves
            that unlooked at.
        utc: the wall clock; quiet hours go by it.
        monotonic: the clock that silence is measured by.

    Raises:
        RuleError: the file of rules makes no sense.
    """

    def __init__(
        self,
        settings: OutputsSettings,
        home: Path,
        on_alert: Callable[[Alert], None],
        *,
        on_state: Callable[[ChannelState], None] | None = None,
        outputs: Collection[str] | None = None,
        utc: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        file = settings.alerts_file
        self.rules = () if file is None else load_alert_rules(file, outputs)
        self._nobody_tells = bool(self.rules) and outputs is not None and not outputs
        self._on_alert, self._on_state = on_alert, on_state
        self._utc, self._monotonic = utc, monotonic
        self._cooldowns = Cooldowns(home)
        self._counts = ClassCounts(self.rules, self._cooldowns)
        self._watch = MicrophoneWatch(self.rules, self._cooldowns)
        self._microphones = Microphones(settings.silent_s)
        self._conditions: dict[str, Condition] = {}
        self._told = dict.fromkeys((rule.name for rule in self.rules), 0)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to look at the microphones."""
        if self._nobody_tells:
            _LOG.warning(
                "there are %d rules of alerts, and no output that is enabled tells alerts: they are events alone "
                "(docs/outputs.md)",
                len(self.rules),
            )
        self._thread.start()

    def stop(self, timeout_s: float = _STOP_S) -> bool:
        """End; what is to be kept is written. Returns whether it ended in time."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._cooldowns.save()
        return not self._thread.is_alive()

    def hear(self, moment: Moment) -> None:
        """Windows were cut. Call it where that happens: results may be late, and a microphone is not dead for that."""
        sounds = soundness(moment.audio)
        now_s = self._monotonic()
        with self._lock:
            for key, sound in zip(moment.keys, sounds, strict=True):
                if key.run.source != LIVE_STREAMS:  # they come and go as people like
                    self._microphones.take(key.channel, sound, now_s)

    def expect(self, channels: Iterable[str]) -> None:
        """Windows of these shall come; without this a channel is missed only after it has been heard once."""
        with self._lock:
            self._microphones.expect(channels, self._monotonic())

    def forget(self, channel: str) -> None:
        """Its source was taken away: nobody misses it, and its state is ``gone``, once."""
        with self._lock:
            if not self._microphones.forget(channel):
                return
            self._conditions.pop(channel, None)
            if self._on_state is not None:  # under the lock: no older state of it may come after this one
                self._on_state(ChannelState(channel, Condition.GONE, self._utc()))

    def detection(self, detection: Detection) -> None:
        """A detection was decided, live or late; the same one again changes nothing."""
        with self._lock:
            alerts = self._counts.take(detection, self._utc())
        self._tell(alerts)

    def look(self) -> None:
        """Look at the microphones now; its thread does so every second."""
        now_s, now = self._monotonic(), self._utc()
        with self._lock:
            changes = self._microphones.changes(now_s, now, self._conditions)
            alerts = self._watch.look(self._microphones, now_s, now)
            if self._on_state is not None:
                for state in changes:
                    self._on_state(state)
        self._tell(alerts)

    def conditions(self) -> dict[str, Condition]:
        """By channel, as told last."""
        with self._lock:
            return dict(self._conditions)

    def status(self) -> dict[str, Any]:
        """The rules with how often each was told, and the channels that are not well."""
        unwell = {name: kind.value for name, kind in self.conditions().items() if kind != Condition.HEARING}
        return {
            "rules": [{"name": name, "told": told} for name, told in list(self._told.items())],
            "suppressed": self._counts.suppressed,
            "unwell": unwell,
        }

    def counts(self) -> dict[str, Any]:
        """For ``/metrics``."""
        states = list(self.conditions().values())
        return {
            "alerts_total": dict(self._told),
            "alerts_suppressed_total": self._counts.suppressed,
            "channels_silent": sum(one in (Condition.SILENT, Condition.AWAY) for one in states),
            "channels_clipping": sum(one == Condition.CLIPPING for one in states),
        }

    def _tell(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._told[alert.rule] += 1
            _LOG.info("alert: %s", alert.text)
            self._on_alert(alert)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - logged; microphones are looked at again a second later
                _LOG.exception("the microphones could not be looked at")
            self._cooldowns.save()
