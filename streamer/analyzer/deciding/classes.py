"""The classes of the generations that answer, as deciders take them; made once for all channels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.signature import ModelDescription
from streamer.analyzer.deciding.stretch import HeardWindow
from tidzam_platform.classifiers.channel_events import make_decider
from tidzam_platform.classifiers.decision import Answer, ClassNode
from tidzam_platform.classifiers.smoothing import RunningMean
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import DecisionSettings

_MOST: Final = 16


@dataclass(frozen=True, eq=False)
class Classes:
    """The classes of a generation.

    Attributes:
        description: what it said of itself.
        nodes: in the order of its scores.
        paths: of the nodes.
        problem: why the settings cannot decide them; empty if they can.
    """

    description: ModelDescription
    nodes: tuple[ClassNode, ...]
    paths: tuple[str, ...]
    problem: str

    @classmethod
    def of(cls, description: ModelDescription, settings: DecisionSettings) -> Classes:
        """Of what a generation says of itself."""
        nodes = tuple(ClassNode(known.path, known.parent, known.threshold) for known in description.classes)
        problem = ""
        try:
            make_decider(nodes, settings, description.labels)
        except SettingsError as error:
            problem = str(error)
        return cls(description, nodes, tuple(node.path for node in nodes), problem)


class KnownClasses:
    """Finds the classes of a generation; those of the last ones are kept."""

    def __init__(
        self, description_of: Callable[[int], ModelDescription | None], settings: DecisionSettings
    ) -> None:
        self._description_of, self._settings = description_of, settings
        self._known: OrderedDict[int, Classes] = OrderedDict()

    def of(self, generation: int) -> Classes | None:
        """The classes; None if nobody knows them. The same object as long as the generation says the same."""
        description = self._description_of(generation)
        if description is None:
            return None
        known = self._known.get(generation)
        if known is None or (known.description is not description and known.description != description):
            known = self._known[generation] = Classes.of(description, self._settings)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return known


class EarlyAnswers:
    """Answers of a channel's live windows whose events must wait for windows before them."""

    def __init__(self, classes: Classes, hop_frames: int, settings: DecisionSettings) -> None:
        self.classes = classes
        self._decider = make_decider(classes.nodes, settings, classes.description.labels)
        self._smoothed = RunningMean(settings.events.smoothing_windows, hop_frames)

    def answer(self, window: HeardWindow) -> Answer:
        """What a window is taken for."""
        smooth = self._smoothed.push(window.key.start_frame, window.scores)
        level_dbfs: NDArray[np.float32] = np.array([window.level_dbfs], np.float32)
        return self._decider.decide(smooth[np.newaxis], level_dbfs)[0]
