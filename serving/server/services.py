"""The gRPC server with all its services, not started yet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from serving.server import model_service, prediction_service
from serving.server.answering import Answering
from serving.server.health import Health
from serving.server.metrics import Metrics
from serving.server.requests import Requests
from serving.server.thread_pools import in_pool
from tidzam_platform.classifiers.backend import load_tensorflow

# A message is received by the worker that answers it: workers x the message limit bounds what requests hold.
_PREDICT_WORKERS: Final = 16
_MAX_CONCURRENT_RPCS: Final = 512  # running, queued and health watches; more are told RESOURCE_EXHAUSTED

SERVICE_NAMES: Final = (prediction_service.SERVICE_NAME, model_service.SERVICE_NAME)


def make_grpc_server(requests: Requests, metrics: Metrics, health: Health, light: ThreadPoolExecutor) -> Any:
    """A ``grpc.Server`` with the prediction, model and health services.

    Args:
        requests: what answers; its largest tensor is the largest message, both directions.
        metrics: count the answers.
        health: the health of the server.
        light: runs the requests that are no predictions.
    """
    load_tensorflow()  # the stubs import TensorFlow: quietly, please
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    server = grpc.server(
        ThreadPoolExecutor(_PREDICT_WORKERS, thread_name_prefix="predict-rpc"),
        options=[
            ("grpc.max_receive_message_length", requests.max_message_bytes),
            ("grpc.max_send_message_length", requests.max_message_bytes),
            ("grpc.so_reuseport", 0),  # two servers on one port would share its requests
            ("grpc.keepalive_time_ms", 60_000),  # forget clients whose machine is gone
            ("grpc.keepalive_timeout_ms", 20_000),
        ],
        maximum_concurrent_rpcs=_MAX_CONCURRENT_RPCS,
    )
    answering = Answering(metrics)
    predictions = prediction_service.PredictionService(requests, answering)
    predictions.GetModelMetadata = in_pool(predictions.GetModelMetadata, light)
    models = model_service.ModelService(requests, answering)
    models.GetModelStatus = in_pool(models.GetModelStatus, light)
    models.HandleReloadConfigRequest = in_pool(models.HandleReloadConfigRequest, light)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(predictions, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
    health.add_to(server)
    return server
