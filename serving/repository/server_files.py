"""Configuration files of TensorFlow Serving, in protobuf's text format: what model servers read of the repository.

``models.config`` follows the labels (``--model_config_file``, read again by ``--model_config_file_poll_wait_seconds``),
``monitoring.config`` (``--monitoring_config_file``) and ``batching.config`` (``--batching_parameters_file``) stand
beside it. https://www.tensorflow.org/tfx/serving/serving_config
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from serving.repository.server_protos import batching_parameters, monitoring_config
from serving.repository.state import State
from serving.signature import MODEL_NAME
from tidzam_platform.settings import BatchingSettings

MODELS_CONFIG: Final = "models.config"
MONITORING_CONFIG: Final = "monitoring.config"
BATCHING_CONFIG: Final = "batching.config"
METRICS_PATH: Final = "/monitoring/prometheus/metrics"
_HEADER: Final = "# Written by Tidzam, and written again when labels change: edit nothing here.\n"


def models_config(state: State, available: Collection[int], base_path: Path) -> str:
    """Text of a ``ModelServerConfig`` with the one model, its versions to load, and its labels."""
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    model = config.model_config_list.config.add(
        name=MODEL_NAME, base_path=str(base_path.absolute()), model_platform="tensorflow"
    )
    versions = state.to_serve(available)
    if versions is None:
        model.model_version_policy.latest.num_versions = 1
    else:
        model.model_version_policy.specific.SetInParent()
        model.model_version_policy.specific.versions.extend(versions)
    for label, change in state.labels.items():
        model.version_labels[label] = change.version
    return _text(config)


def monitoring_file() -> str:
    """Text of a ``MonitoringConfig``: metrics for Prometheus, at TensorFlow Serving's own path."""
    config = monitoring_config()
    config.prometheus_config.enable = True
    config.prometheus_config.path = METRICS_PATH
    return _text(config)


def batching_file(batching: BatchingSettings) -> str:
    """Text of ``BatchingParameters``."""
    config = batching_parameters()
    config.max_batch_size.value = batching.max_batch_size
    config.batch_timeout_micros.value = batching.batch_timeout_micros
    config.max_enqueued_batches.value = batching.max_enqueued_batches
    config.num_batch_threads.value = batching.num_batch_threads
    return _text(config)


def _text(message: Any) -> str:
    from google.protobuf import text_format

    return _HEADER + text_format.MessageToString(message)
