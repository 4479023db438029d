"""The analyzer: everything that hears, put together, and taken apart in the opposite order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from streamer.analyzer.alerts import Alert, Alerts, ChannelState
from streamer.analyzer.asking import Asker, Describer, Generations, Spool
from streamer.analyzer.deciding import Decider, DetectionJournal, DetectionStore
from streamer.analyzer.expected_microphones import ExpectedMicrophones
from streamer.analyzer.hearing import AudioHistory, Hearer
from streamer.analyzer.keeping import ClipKeeper
from streamer.analyzer.mixer_reports import MixerReports
from streamer.analyzer.outputs import Outputs
from streamer.analyzer.stopping import OrderedStop
from streamer.analyzer.told import DETECTION, DISK_ALARM, RESULTS, detection_as_told, window_as_told
from streamer.analyzer.windows import Geometry, Moment, Run, WindowResult
from streamer.engine.control import EventHub
from streamer.engine.reserved_names import LIVE_STREAMS
from tidzam_platform.clock import format_utc, parse_utc, utc_now
from tidzam_platform.detections.detection import Detection
from tidzam_platform.home import Home
from tidzam_platform.names import split_channel
from tidzam_platform.settings import Settings

if TYPE_CHECKING:
    from serving.client import ModelClient
    from serving.shadow.comparison import Disagreement
    from serving.signature import ModelDescription

_MB = 1_000_000
_MIB = 1 << 20


class Analyzer:
    """See the module. A context, entered once.

    What it hears flows: rings of the engine, windows, model server (or the spool on disk until there is one), results
    and detections; from there to the catalog, the keeper of clips, outputs, alerts, and whoever follows ``events``.
    What people send from browsers is told only in ``events``, for its sender: it is neither stored nor passed on.

    Entering it raises what its parts raise: CatalogError, SettingsError, RuleError (files of outputs and alerts),
    BusyError (another analyzer of this home runs), OSError (folders that cannot be made).

    Args:
        settings: of everything.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.since = utc_now()
        self.events = EventHub()
        self._opened = contextlib.ExitStack()
        self._ending = OrderedStop(settings.supervision.stop_s)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            self._make(opened)
            self._start(opened)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._opened.close()

    def begin_to_end(self) -> None:
        """The time in which it has to end (``supervision.stop_s``) runs from now on, if the end itself comes later."""
        self._ending.begin()

    def _make(self, opened: contextlib.ExitStack) -> None:
        settings = self.settings
        home = Home.open(settings)
        opened.callback(home.catalog.close)
        self.history = AudioHistory(settings.clips.preroll_mb * _MIB)
        self.keeper = ClipKeeper(home, settings, self.history, tell=self._of_clips)
        self.outputs = Outputs(settings.outputs, settings.home)
        self.alerts = Alerts(
            settings.outputs,
            settings.home,
            self._alert,
            on_state=self._channel_state,
            outputs=self.outputs.names_for_alerts,
        )
        self.mixer_reports = MixerReports(settings.home)
        self.microphones = ExpectedMicrophones(
            settings.home, self.alerts.expect, self.alerts.forget, settings.analyzer.channels
        )
        self.spool = Spool(
            settings.home / "spool" / "windows",
            settings.analyzer.spool_mb,
            reserve_bytes=settings.clips.disk_reserve_mb * _MB,
        )
        opened.callback(self.spool.close)
        self.generations = Generations()
        self.journal = DetectionJournal(settings.home / "spool" / "detections")
        opened.callback(self.journal.close)
        self.store = DetectionStore(home.catalog, self.journal, on_stored=self.spool.confirm)
        self.decider = Decider(
            settings.decision, self.generations.of, self._results, self._detection, self.store.settle
        )
        self.client = self._open_client(opened)
        self.asker = Asker(
            lambda: self.client,
            settings,
            self.spool,
            self.decider.heard,
            self.decider.lost,
            generations=self.generations,
        )
        self.describer = Describer(
            lambda: self.client,
            self._described,
            self.generations,
            on_back=self.asker.server_is_back,
            remembered=settings.home / "run" / "served_model.json",
        )
        self.hearer = Hearer(
            settings.home, settings.analyzer, self._moment, self.history, on_run_end=self._run_ended
        )

    def _start(self, opened: contextlib.ExitStack) -> None:
        """From what takes results to what makes them, so that nothing is told to who is not there."""
        self.decider.expect_spans(self.spool.recovered())
        opened.callback(self._ending.stop)
        for name, part in (
            ("outputs", self.outputs),
            ("alerts", self.alerts),
            ("microphones", self.microphones),
            ("mixer reports", self.mixer_reports),
            ("clips", self.keeper),
            ("storing", self.store),
            ("deciding", self.decider),
            ("asking", self.asker),
            ("describing", self.describer),
            ("hearing", self.hearer),
        ):
            part.start()
            self._ending.add(name, part.stop)

    def _open_client(self, opened: contextlib.ExitStack) -> ModelClient:
        from serving.client import ModelClient
        from serving.shadow import open_shadowing_client

        settings, share = self.settings, self.settings.analyzer.shadow_share
        if share:
            return opened.enter_context(
                open_shadowing_client(settings, share, on_disagreement=self._disagreement)
            )
        server = settings.model_server
        return opened.enter_context(
            ModelClient(
                f"{server.host}:{server.port}",
                deadline_s=server.deadline_s,
                max_message_mb=server.max_message_mb,
            )
        )

    def status(self) -> dict[str, Any]:
        """How it stands, for people."""
        return {
            "pid": os.getpid(),
            "since": format_utc(self.since),
            "home": str(self.settings.home),
            "followers": self.events.listeners,
            "model": self.describer.status(),
            "hearing": self.hearer.status(),
            "asking": self.asker.status(),
            "deciding": self.decider.status(),
            "store": self.store.status(),
            "clips": self.keeper.status(),
            "outputs": self.outputs.status(),
            "alerts": self.alerts.status(),
        }

    def counts(self) -> dict[str, Any]:
        """Every counter: a number by its name, or one for each label."""
        parts: dict[str, Mapping[str, Any]] = {
            "hearing": self.hearer.counts(),
            "history": self.history.counts(),
            "asking": self.asker.counts(),
            "deciding": self.decider.counts(),
            "store": self.store.counts(),
            "clips": self.keeper.counts(),
        }
        named = {f"{part}_{name}": value for part, counts in parts.items() for name, value in counts.items()}
        faults = {"microphones_faults": self.microphones.faults, "mixer_faults": self.mixer_reports.faults}
        return {**named, **faults, **self.outputs.counts(), **self.alerts.counts()}

    def classes(self) -> dict[str, Any]:
        """The classes of the generation in service, in the order of its scores."""
        description = self.describer.description
        if description is None:
            return {"generation": None, "classes": []}
        return {
            "generation": description.generation,
            "classes": [known.path for known in description.classes],
        }

    def _described(self, description: ModelDescription) -> None:
        self.hearer.set_geometry(Geometry.of(description))
        self.keeper.on_thresholds({known.path: known.threshold for known in description.classes})
        self.events.publish("generation", generation=description.generation)

    def _moment(self, moment: Moment) -> None:
        self.decider.expect(moment.keys)
        self.asker.submit(moment)
        self.alerts.hear(moment)

    def _run_ended(self, run: Run, numbers: tuple[int, ...]) -> None:
        self.decider.end(run, numbers)

    def _results(self, results: Sequence[WindowResult]) -> None:
        if self.events.listeners:
            self.events.publish(RESULTS, windows=[window_as_told(result) for result in results])
        for result in results:
            if result.key.run.source != LIVE_STREAMS:
                self.keeper.on_result(result)
                self.mixer_reports.note(result)

    def _detection(self, detection: Detection) -> None:
        self.events.publish(DETECTION, **detection_as_told(detection))
        if split_channel(detection.channel)[0] == LIVE_STREAMS:
            return
        self.store.add(detection)
        self.outputs.detection(detection)
        self.alerts.detection(detection)

    def _alert(self, alert: Alert) -> None:
        self.events.publish("alert", **alert.as_dict())
        self.outputs.alert(alert)

    def _channel_state(self, state: ChannelState) -> None:
        self.outputs.state(state)

    def _of_clips(self, name: str, **what: Any) -> None:
        self.events.publish(name, **what)
        if name == DISK_ALARM:
            ended = what["state"] == "ok"
            text = "there is room for clips again" if ended else f"clips: {what['reason']}"
            self.outputs.alert(
                Alert(rule="disk", about="disk", channel="", at=utc_now(), text=text, ended=ended)
            )

    def _disagreement(self, found: Disagreement) -> None:
        self.keeper.on_disagreement(
            found.origin.channel, parse_utc(found.origin.start), found.canary.class_path
        )
