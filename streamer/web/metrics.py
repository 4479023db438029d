"""Prometheus's ``/metrics``: what the web process counts, and what the engine counts."""

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
    "socket_clients": "Socket.IO clients that are connected.",
    "live_streams": "Of them, those that send audio.",
    "websockets": "Connections that WebSockets hold.",
}
_WEB: Final = "tidzam_web_"
_ENGINE: Final = "tidzam_engine_"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,100}")
_COUNTER_ENDING: Final = "_total"
_CHANNEL: Final = ":out_"


class Metrics:
    """The page; asks the engine each time.

    Args:
        core: whose counts.
        gauges: gives the gauges of the web process but ``engine_up``.
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
        """Nothing: what the engine has is seen when it is asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of them now; the registry asks."""
        try:
            engine = self._core.engine.request_quickly("counts")
        except TidzamError:
            engine = None
        gauges = {**self._gauges(), "engine_up": float(engine is not None)}
        for name, value in gauges.items():
            yield GaugeMetricFamily(_WEB + name, GAUGES[name], value=value)
        for name, count in self._core.counts.read().items():
            yield CounterMetricFamily(_WEB + name, COUNTERS[name], value=count)
        yield from engine_metrics(engine or {})


def engine_metrics(counts: Mapping[str, Any]) -> Iterator[Metric]:
    """The engine's answer to ``counts`` as metrics.

    ``{"name": value}`` is one number, ``{"name": {label: value}}`` one for each channel or source. What ends in
    ``_total`` is a counter, all else a gauge. Names and values that are none are left out.
    """
    for name, value in sorted(counts.items()):
        if not _NAME.fullmatch(name):
            continue
        by_label = value if isinstance(value, Mapping) else {"": value}
        numbers = {str(label): float(one) for label, one in by_label.items() if isinstance(one, (int, float))}
        if not numbers:
            continue
        labels = [] if not isinstance(value, Mapping) else [_label(numbers)]
        kind = CounterMetricFamily if name.endswith(_COUNTER_ENDING) else GaugeMetricFamily
        family = kind(_ENGINE + name, f"Of the engine: {name.replace('_', ' ')}.", labels=labels)
        for label, number in numbers.items():
            family.add_metric([label] if labels else [], number)
        yield family


def _label(values: Mapping[str, float]) -> str:
    return "channel" if all(_CHANNEL in label for label in values) else "source"
