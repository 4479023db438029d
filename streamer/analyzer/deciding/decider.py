"""From what the model said to results of windows and detections: each window told once, events in order."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, TypeVar

from serving.signature import ModelDescription
from streamer.analyzer.asking.spans import Lane, WindowSpan, index_of, lane_of
from streamer.analyzer.deciding.chain import Chain
from streamer.analyzer.deciding.classes import Classes, EarlyAnswers, KnownClasses
from streamer.analyzer.deciding.sequencer import Sequencer, Step
from streamer.analyzer.deciding.stretch import HeardWindow, Stretch
from streamer.analyzer.loop_guard import LoopGuard
from streamer.analyzer.windows import Heard, Run, WindowKey, WindowResult
from tidzam_platform.classifiers.decision import Answer
from tidzam_platform.detections.detection import Detection
from tidzam_platform.settings import DecisionSettings

_T = TypeVar("_T")

HELD_BYTES: Final = 64 << 20  # 128 channels with two windows a second, for ten minutes
_MOST_BACKLOG: Final = 8  # moments; who brings more waits
_QUIET_S: Final = 60.0  # a channel of which nothing comes for so long has its events finished
_LOOK_S: Final = 1.0
_PATIENCE_S: Final = 30.0  # of who brings more than is decided
_LOG = logging.getLogger(__name__)


class Decider:
    """Decides what was heard, in a thread. Started and stopped once.

    ``expect`` is told of every window before it is asked for, then each of them is told by ``heard`` or ``lost``, in
    any order. Results of live windows go out at once, although windows before them are still in the spool; events and
    detections of a channel are made strictly in the order of its windows.

    Args:
        settings: how scores become answers and events.
        description_of: what a generation that answers says of itself.
        on_results: told the results of windows, a few at a time; by the thread, as the two below; must not raise, or
            wait.
        on_detection: told of each detection.
        on_settled: told of windows that waited in the spool when all detections that they led to have been told.
        held_bytes: most memory of live windows that wait for spooled ones, about; beyond, events are cut there.
        patience_s: how long ``heard`` waits for those before; then the windows are lost, and told by ``counts``.
    """

    def __init__(
        self,
        settings: DecisionSettings,
        description_of: Callable[[int], ModelDescription | None],
        on_results: Callable[[Sequence[WindowResult]], None],
        on_detection: Callable[[Detection], None],
        on_settled: Callable[[Sequence[WindowSpan]], None] = lambda _spans: None,
        *,
        held_bytes: int = HELD_BYTES,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._settings, self._classes = settings, KnownClasses(description_of, settings)
        self._on_results, self._on_detection, self._on_settled = on_results, on_detection, on_settled
        self._patience_s = patience_s
        self._condition = threading.Condition()
        self._sequencer = Sequencer(held_bytes)
        self._backlog: deque[Heard] = deque()
        self._has_steps = False
        self._ends = self._has_ended = False
        self._chains: dict[Stretch, Chain] = {}
        self._early: dict[Lane, EarlyAnswers] = {}
        self._counts = {"windows": 0, "late_windows": 0, "detections": 0, "lost": 0, "undecided": 0}
        self._problem = ""
        self._guard = LoopGuard("deciding")
        self._thread = threading.Thread(target=self._run, name="tidzam-deciding", daemon=True)

    def start(self) -> None:
        """Begin to decide."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Decide what is there, finish all events, and end; returns whether it ended in time."""
        with self._condition:
            self._ends = True
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with self._condition:
            left = sum(len(heard.keys) for heard in self._backlog)
        if left:
            _LOG.error("%d windows that were heard are not decided: there was no time for them", left)
        return not self._thread.is_alive()

    def expect(self, keys: Sequence[WindowKey]) -> None:
        """These windows will be heard or lost; in the order of the grid for each channel."""
        with self._condition:
            if not self._has_ended:
                self._sequencer.expect(keys)
                self._wake_for_steps()

    def expect_spans(self, spans: Iterable[WindowSpan]) -> None:
        """As ``expect``: what waited in the spool at the start."""
        with self._condition:
            self._sequencer.expect_spans(spans)
            self._wake_for_steps()

    def heard(self, heard: Heard) -> None:
        """The model has answered; waits while there is more to decide than is good, but not for ever.

        What is not taken by then is lost, and counted so.
        """
        end_s = time.monotonic() + self._patience_s
        with self._condition:
            while not self._takes_more():
                if time.monotonic() >= end_s or not self._may_go_on():
                    _LOG.error("%d windows are lost: nobody decides what was heard", len(heard.keys))
                    self._lose(heard.keys)
                    return
                self._condition.wait_for(self._takes_more, min(_LOOK_S, self._patience_s))
            if not self._has_ended:
                self._backlog.append(heard)
                self._condition.notify_all()

    def lost(self, keys: Sequence[WindowKey], reason: str) -> None:  # noqa: ARG002 - who asks has told it
        """These windows will not be heard."""
        with self._condition:
            self._lose(keys)

    def end(self, run: Run, numbers: Collection[int] | None = None) -> None:
        """No more windows of a run come, on these channels or on any: its events end when all windows are decided."""
        with self._condition:
            self._sequencer.end(run, numbers)
            self._wake_for_steps()

    def status(self) -> dict[str, Any]:
        """What waits to be decided."""
        with self._condition:
            return {
                "expected_windows": self._sequencer.expected_windows,
                "held_bytes": self._sequencer.held_bytes,
                "backlog": len(self._backlog),
                "problem": self._problem,
            }

    def counts(self) -> dict[str, int]:
        """Counters, for metrics: windows told, of these late ones, detections, windows lost and undecided.

        ``unexpected`` windows came without having been announced, or twice; ``splits`` says how often so much was held
        that events had to be cut; ``faults`` were met by the thread, and not foreseen.
        """
        with self._condition:
            others = {"unexpected": self._sequencer.unexpected, "splits": self._sequencer.splits}
            return {**self._counts, **others, "faults": self._guard.faults}

    def _takes_more(self) -> bool:
        return len(self._backlog) < _MOST_BACKLOG or self._has_ended

    def _may_go_on(self) -> bool:
        """Whether the thread works, or has not begun yet."""
        return self._thread.ident is None or self._thread.is_alive()

    def _lose(self, keys: Sequence[WindowKey]) -> None:
        self._counts["lost"] += len(keys)
        self._sequencer.lost(keys)
        self._wake_for_steps()

    def _wake_for_steps(self) -> None:
        self._has_steps = True
        self._condition.notify_all()

    def _run(self) -> None:
        while not self._has_ended:
            with self._guard:
                self._turn()

    def _turn(self) -> None:
        """Decide one answer of the model, and what others have brought; the last time all that is left."""
        with self._condition:
            self._condition.wait_for(lambda: self._backlog or self._has_steps or self._ends, _LOOK_S)
            heard = self._backlog.popleft() if self._backlog else None
            is_last = self._ends and not self._backlog
            self._has_ended = is_last
            self._has_steps = False
            self._condition.notify_all()
            held = [] if heard is None else self._resolved(heard)
            if is_last:
                self._sequencer.end_all()
            else:
                self._sequencer.end_quiet(time.monotonic() - _QUIET_S)
            steps, unexpected = self._sequencer.take_steps(), self._sequencer.take_unexpected()
        self._decide(steps, held, unexpected)

    def _resolved(self, heard: Heard) -> list[HeardWindow]:
        """Those windows of an answer that must wait for others; an answer without sense is lost."""
        try:
            return self._sequencer.resolve(windows_of(heard))
        except Exception as error:  # noqa: BLE001 - one answer must not cost those that follow
            self._guard.note(error)
            self._lose(heard.keys)
            return []

    def _decide(
        self, steps: Sequence[Step], held: Sequence[HeardWindow], unexpected: Sequence[WindowKey]
    ) -> None:
        results: list[WindowResult] = []
        detections: list[Detection] = []
        touched: dict[Chain, None] = {}
        for step in steps:
            try:
                self._take(step, touched, results, detections)
            except Exception as error:  # noqa: BLE001 - one channel must not cost the others
                self._guard.note(error)
                self._drop(step)
        try:
            results += self._early_results(held)
        except Exception as error:  # noqa: BLE001 - they are told when those before them are there
            self._guard.note(error)
        if results:
            self._tell(self._on_results, results)
        for detection in detections:
            self._tell(self._on_detection, detection)
        settled = [span for chain in touched if (span := chain.take_settled()) is not None]
        settled += [WindowSpan(key.run, key.number, key.start_frame, key.start_frame) for key in unexpected]
        if settled:
            self._tell(self._on_settled, settled)
        with self._condition:
            self._counts["windows"] += len(results)
            self._counts["late_windows"] += sum(result.was_spooled for result in results)
            self._counts["detections"] += len(detections)

    def _take(
        self,
        step: Step,
        touched: dict[Chain, None],
        results: list[WindowResult],
        detections: list[Detection],
    ) -> None:
        """Do what a chain does next; adds what comes of it."""
        chain = self._chains.get(step.stretch)
        if chain is None:
            chain = self._chains[step.stretch] = Chain(step.stretch.lane, self._settings)
        touched[chain] = None
        if step.window is not None:
            detections += self._passed(chain, step.window, results)
            return
        try:
            detections += chain.finish()
        finally:
            del self._chains[step.stretch]
            self._early.pop(step.stretch.lane, None)

    def _tell(self, listener: Callable[[_T], None], what: _T) -> None:
        try:
            listener(what)
        except Exception as error:  # noqa: BLE001 - the others are told all the same
            self._guard.note(error)

    def _drop(self, step: Step) -> None:
        """The chain of a step has failed: its open events are lost, its next window begins anew.

        Its windows are settled all the same: what failed once would fail at each start.
        """
        self._early.pop(step.stretch.lane, None)
        chain = self._chains.get(step.stretch)
        if chain is None:
            return
        chain.abandon()
        if step.window is not None:
            chain.pass_over(index_of(step.window.key.run, step.window.key.start_frame), step.window)
            with self._condition:
                self._counts["undecided"] += 1

    def _passed(self, chain: Chain, window: HeardWindow, results: list[WindowResult]) -> list[Detection]:
        """Let a chain take a window; adds its result unless it has been told."""
        index = index_of(window.key.run, window.key.start_frame)
        classes = self._classes_for(window)
        if classes is None:
            chain.pass_over(index, window)
            with self._condition:
                self._counts["undecided"] += 1
            return []
        answer, detections = chain.add(index, window, classes)
        if not window.is_told:
            self._early.pop(lane_of(window.key), None)
            results.append(_told(window, answer, classes))
        return detections

    def _early_results(self, held: Sequence[HeardWindow]) -> list[WindowResult]:
        """Results of live windows that must wait for others before their events can be decided."""
        results = []
        for window in held:
            if window.was_spooled or window.is_told or (classes := self._classes_for(window)) is None:
                continue
            lane = lane_of(window.key)
            early = self._early.get(lane)
            if early is None or early.classes is not classes:
                hop_frames = window.key.run.geometry.hop_frames
                early = self._early[lane] = EarlyAnswers(classes, hop_frames, self._settings)
            results.append(_told(window, early.answer(window), classes))
        return results

    def _classes_for(self, window: HeardWindow) -> Classes | None:
        """The classes of a window's scores; None, and a problem, if it cannot be decided."""
        classes = self._classes.of(window.generation)
        problem = "" if classes is None else classes.problem
        if classes is None or len(classes.nodes) != len(window.scores):
            problem = f"nobody knows the classes of generation {window.generation}"
        if problem and problem != self._problem:
            _LOG.error("windows are not decided: %s", problem)
        self._problem = problem
        return None if problem else classes


def windows_of(heard: Heard) -> list[HeardWindow]:
    """An answer, window by window."""
    prediction = heard.prediction
    return [
        HeardWindow(
            key,
            prediction.generation,
            prediction.scores[row],
            prediction.embedding[row] if len(prediction.embedding) else None,
            float(prediction.level_dbfs[row]),
            heard.was_spooled,
        )
        for row, key in enumerate(heard.keys)
    ]


def _told(window: HeardWindow, answer: Answer, classes: Classes) -> WindowResult:
    """The result of a window, which is told by that."""
    result = WindowResult(
        window.key,
        window.generation,
        answer,
        classes.paths,
        window.scores,
        window.embedding,
        window.level_dbfs,
        window.was_spooled,
    )
    window.is_told, window.embedding = True, None
    return result
