"""What the server counts, in Prometheus' format, under TensorFlow Serving's names where it has them.

TensorFlow Serving turns the path of a monitor, ``/tensorflow/serving/request_count``, into
``:tensorflow:serving:request_count`` (model_servers/prometheus_exporter.cc). Latencies are in microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serving.signature import MODEL_NAME

Entrypoint = Literal["GRPC", "REST"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
# Powers of 1.8 from 10 microseconds (core/... sampler buckets of request_logging) to about a minute.
_LATENCY_BUCKETS: Final = tuple(round(10 * 1.8**step) for step in range(27))
_SIZE_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# TensorFlow Serving's counters bear no suffix; prometheus_client gives one to each.
_SUFFIX: Final = re.compile(rb"^(# \w+ )?(:tensorflow:[\w:]+)_total\b", re.MULTILINE)
# So do the times of creation that it adds.
_CREATED: Final = re.compile(rb"^(?:# \w+ )?[\w:]+_created\b.*\n", re.MULTILINE)


class Metrics:
    """Counters of one server; safe to use from many threads."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            ":tensorflow:serving:request_count",
            "Requests by status.",
            ["model_name", "status"],
            registry=registry,
        )
        self._latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Time from a request to its answer, in microseconds.",
            ["model_name", "API", "entrypoint"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._runtime = Histogram(
            ":tensorflow:serving:runtime_latency",
            "Time of one run of the model, in microseconds.",
            ["model_name", "API", "runtime"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._queuing = Histogram(
            ":tensorflow:serving:batching_session:queuing_latency",
            "Time that a request waits for its batch, in microseconds.",
            ["model_name"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self._batches = Histogram(
            ":tensorflow:serving:batching:processed_batch_size",
            "Rows of the batches that the model ran.",
            ["model_name"],
            buckets=_SIZE_BUCKETS,
            registry=registry,
        )
        self._loads = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "Attempts to load a version, by status.",
            ["model_path", "status"],
            registry=registry,
        )
        self._queue_full = Counter(
            "tidzam_server_queue_full",
            "Requests refused because too many windows waited.",
            registry=registry,
        )
        self._expired = Counter(
            "tidzam_server_expired",
            "Requests whose deadline passed before the model ran.",
            registry=registry,
        )
        self._version_in_service = Gauge(
            "tidzam_server_version_in_service",
            "1 for each version that answers.",
            ["version"],
            registry=registry,
        )
        self._label = Gauge(
            "tidzam_server_label_version",
            "The version that a label stands for.",
            ["label"],
            registry=registry,
        )

    def request(self, api: str, entrypoint: Entrypoint, status: str, latency_s: float) -> None:
        """Count a request that was answered; ``status`` is a canonical code's name, e.g. ``OK``."""
        self._requests.labels(MODEL_NAME, status).inc()
        self._latency.labels(MODEL_NAME, api, entrypoint).observe(latency_s * 1e6)

    def batch(self, rows: int, run_s: float) -> None:
        """Count a batch that the model ran."""
        self._batches.labels(MODEL_NAME).observe(rows)
        self._runtime.labels(MODEL_NAME, "predict", "TF1").observe(run_s * 1e6)

    def queued(self, wait_s: float) -> None:
        """Note how long a request waited for its batch."""
        self._queuing.labels(MODEL_NAME).observe(wait_s * 1e6)

    def queue_full(self) -> None:
        """Count a request that found the queue full."""
        self._queue_full.inc()

    def expired(self) -> None:
        """Count a request that nobody waited for any more."""
        self._expired.inc()

    def load(self, model_path: str, succeeded: bool) -> None:
        """Count an attempt to load a version."""
        self._loads.labels(model_path, "success" if succeeded else "fail").inc()

    def in_service(self, versions: list[int], labels: Mapping[str, int]) -> None:
        """Say what answers now."""
        self._version_in_service.clear()
        for version in versions:
            self._version_in_service.labels(str(version)).set(1)
        self._label.clear()
        for label, version in labels.items():
            self._label.labels(label).set(version)

    def render(self) -> tuple[bytes, str]:
        """All figures as Prometheus reads them, and their content type."""
        text = _CREATED.sub(b"", generate_latest(self._registry))
        return _SUFFIX.sub(rb"\1\2", text), CONTENT_TYPE
