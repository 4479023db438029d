"""Prometheus's ``/metrics``: what the web process counts, and what engine and analyzer count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamer.web.core import WebCore
from streamer.web.counting import COUNTERS
from tidzam_platform.errors import TidzamError

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
# Gauges of the web process; with COUNTERS all that it exports of itself.
GAUGES: Final[dict[str, str]] = {
    "engine_up": "Whether the engine answered when this page was asked for.",
    "analyzer_up": "Whether the analyzer answered when this page was asked for.",
    "socket_clients": "Socket.IO clients that are connected.",
    "live_streams": "Of them, those that send audio.",
    "websockets": "Connections that WebSockets hold.",
}
_WEB: Final = "tidzam_web_"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,100}")
_COUNTER_ENDING: Final = "_total"
_CHANNEL: Final = ":out_"
# What the analyzer counts by, where the name says it; all else is counted by why.
_LABELS: Final = (("by_class", "class"), ("channel", "channel"), ("output_", "output"))


class Metrics:
    """The page; asks engine and analyzer each time.

    Args:
        core: whose counts.
        gauges: gives the gauges of the web process but those that end in ``_up``.
    """

    def __init__(self, core: WebCore, gauges: Callable[[], Mapping[str, float]]) -> None:
        self._core, self._gauges = core, gauges
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(namespace="tidzam_web", registry=self._registry)

    def render(self) -> bytes:
        """The page in Prometheus's text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: what engine and analyzer have is seen when they are asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of them now; the registry asks."""
        counts = {
            "engine": _counts(self._core.engine.request_quickly),
            "analyzer": _counts(self._core.analyzer.request_quickly),
        }
        ups = {f"{process}_up": float(counted is not None) for process, counted in counts.items()}
        for name, value in {**self._gauges(), **ups}.items():
            yield GaugeMetricFamily(_WEB + name, GAUGES[name], value=value)
        for name, count in self._core.counts.read().items():
            yield CounterMetricFamily(_WEB + name, COUNTERS[name], value=count)
        for process, counted in counts.items():
            yield from process_metrics(process, counted or {})


def _counts(ask: Callable[[str], dict[str, Any]]) -> dict[str, Any] | None:
    """What a process counts; None where it does not answer."""
    try:
        return ask("counts")
    except TidzamError:
        return None


def process_metrics(process: str, counts: Mapping[str, Any]) -> Iterator[Metric]:
    """A process's answer to ``counts`` as metrics ``tidzam_PROCESS_NAME``.

    ``{"name": value}`` is one number, ``{"name": {label: value}}`` one for each channel or source (of the analyzer:
    channel, class, output or reason). What ends in ``_total`` is a counter, all else a gauge. Names and values that
    are none are left out.
    """
    for name, value in sorted(counts.items()):
        if not _NAME.fullmatch(name):
            continue
        by_label = value if isinstance(value, Mapping) else {"": value}
        numbers = {str(label): float(one) for label, one in by_label.items() if isinstance(one, (int, float))}
        if not numbers:
            continue
        labels = [] if not isinstance(value, Mapping) else [_label(process, name, numbers)]
        kind = CounterMetricFamily if name.endswith(_COUNTER_ENDING) else GaugeMetricFamily
        says = f"Of the {process}: {name.replace('_', ' ')}."
        family = kind(f"tidzam_{process}_{name}", says, labels=labels)
        for label, number in numbers.items():
            family.add_metric([label] if labels else [], number)
        yield family


def _label(process: str, name: str, values: Mapping[str, float]) -> str:
    if all(_CHANNEL in label for label in values):
        return "channel"
    if process == "engine":
        return "source"
    return next((label for part, label in _LABELS if part in name), "reason")
