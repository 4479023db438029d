"""Windows whose sounds are known, and what a chain that hears them all in order makes of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence

from serving.signature import ModelDescription
from streamer.analyzer.asking import WindowSpan
from streamer.analyzer.windows import Heard, Run, WindowKey, WindowResult
from tests.streamer.analyzer.asking.made import Name, Site, heard_in, name_of
from tests.support.tiny_model import description
from tidzam_platform.classifiers.channel_events import ChannelEvents
from tidzam_platform.classifiers.decision import Answer, ClassNode
from tidzam_platform.detections.detection import Detection, detection_of, is_detection
from tidzam_platform.settings import DecisionSettings

GENERATION = 3


def made_sounds(site: Site, seed: int, share: float = 0.4) -> None:
    """Let birds and rain sound for some windows each, with pauses, long and short."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(1, site.channels + 1):
        index = 0
        while index < site.windows:
            length = chance.choice([1, 1, 2, 5, 20])
            is_sound = chance.random() < share
            value = chance.choice([0.65, 0.9, -0.7]) if is_sound else 0.0
            for place in range(index, min(site.windows, index + length)):
                site.sound(number, place, value)
            index += length


def heard_of(
    site: Site, windows: Sequence[tuple[int, int]], *, was_spooled: bool = False, generation: int = GENERATION
) -> Heard:
    """What the stand-in hears in windows by number of the channel and on the grid."""
    moment = site.moment(windows)
    return Heard(moment.keys, heard_in(moment.audio, generation), was_spooled)


def straight(
    site: Site, number: int, indices: Iterable[int], settings: DecisionSettings, generation: int = GENERATION
) -> tuple[dict[int, Answer], list[Detection]]:
    """Answers by number on the grid, and detections, of a chain that takes these windows in order."""
    about, geometry = description(generation), site.run.geometry
    nodes = [ClassNode(known.path, known.parent, known.threshold) for known in about.classes]
    chain = ChannelEvents(
        number, nodes, geometry.window_frames, geometry.hop_frames, geometry.rate_hz, settings, about.labels
    )
    answers, events = {}, []
    for index in sorted(indices):
        prediction = heard_in(site.window(number, index)[None], generation)
        answers[index], settled = chain.add(
            index * geometry.hop_frames, prediction.scores[0], float(prediction.level_dbfs[0])
        )
        events += settled
    events += chain.finish()
    return answers, detections_of(events, site.run, generation)


def detections_of(events: Iterable, run: Run, generation: int) -> list[Detection]:
    return [
        detection_of(event, generation, run.source, run.time_zero, run.geometry.rate_hz)
        for event in events
        if is_detection(event)
    ]


class Decisions:
    """What a decider tells."""

    def __init__(self) -> None:
        self.results: list[WindowResult] = []
        self.detections: list[Detection] = []
        self.settled: list[tuple[WindowSpan, int]] = []
        """Spans, and how many detections had been told before."""
        self.gate = threading.Event()
        """Nobody gets past ``on_results`` while it is cleared."""
        self.gate.set()

    def on_results(self, results: Sequence[WindowResult]) -> None:
        assert self.gate.wait(30)
        assert results
        self.results += results

    def on_detection(self, detection: Detection) -> None:
        self.detections.append(detection)

    def on_settled(self, spans: Sequence[WindowSpan]) -> None:
        self.settled += [(span, len(self.detections)) for span in spans]

    @property
    def names(self) -> list[Name]:
        return [name_of(result.key) for result in self.results]

    def settled_names(self) -> list[Name]:
        return [
            (span.run, span.number, frame)
            for span, _ in self.settled
            for frame in range(span.first_frame, span.last_frame + 1, span.run.geometry.hop_frames)
        ]


def described(generation: int) -> ModelDescription:
    return description(generation)


def by_identity(detections: Iterable[Detection]) -> list[Detection]:
    return sorted(detections, key=lambda one: (one.channel, one.start, one.class_path, one.id))


def keys(site: Site, windows: Sequence[tuple[int, int]]) -> list[WindowKey]:
    return [site.key(*window) for window in windows]
