"""Answers of windows as they are heard by hand, by the code that decides files and the analyzer's windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.prediction import Prediction
    from serving.signature import ModelDescription
    from streamer.analyzer.windows import Run, WindowKey, WindowResult
    from tidzam_platform.classifiers.channel_events import ChannelEvents
    from tidzam_platform.settings import Settings


class LiveAnswers:
    """From what the model says to results of windows.

    Answers are of scores smoothed over time (``decision.events.smoothing_windows``), those that are told with them are
    the model's own, as in ``serving.analysis.hear_file``.
    """

    def __init__(self, description: ModelDescription, settings: Settings) -> None:
        from tidzam_platform.classifiers.decision import ClassNode

        self._description, self._decision = description, settings.decision
        self._classes = [
            ClassNode(known.path, known.parent, known.threshold) for known in description.classes
        ]
        self._paths = tuple(node.path for node in self._classes)
        self._channels: dict[str, tuple[Run, ChannelEvents]] = {}  # the newest run of each

    def __call__(self, keys: Sequence[WindowKey], prediction: Prediction) -> list[WindowResult]:
        """The results of windows, those of each channel in order; a row of the prediction belongs to each key."""
        from streamer.analyzer.windows import WindowResult

        results = []
        for row, key in enumerate(keys):
            scores, level_dbfs = prediction.scores[row], float(prediction.level_dbfs[row])
            answer, _ = self._events(key).add(key.start_frame, scores, level_dbfs)
            embedding = prediction.embedding[row] if len(prediction.embedding) else None
            results.append(
                WindowResult(
                    key, prediction.generation, answer, self._paths, scores, embedding, level_dbfs, False
                )
            )
        return results

    def _events(self, key: WindowKey) -> ChannelEvents:
        from tidzam_platform.classifiers.channel_events import ChannelEvents

        known = self._channels.get(key.channel)
        if known is None or known[0] != key.run:
            about = self._description
            events = ChannelEvents(
                key.number,
                self._classes,
                about.window_frames,
                about.hop_frames,
                about.rate_hz,
                self._decision,
                about.labels,
            )
            known = self._channels[key.channel] = (key.run, events)
        return known[1]
