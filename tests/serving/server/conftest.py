"""Fixtures of the server's tests."""

from __future__ import annotations

from types import SimpleNamespace

import grpc
import pytest


@pytest.fixture(scope="module")
def stubs(served_address):
    """Stubs over a bare channel: nothing of our client."""
    from grpc_health.v1 import health_pb2_grpc
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    with grpc.insecure_channel(served_address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield SimpleNamespace(
            prediction=prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model=model_service_pb2_grpc.ModelServiceStub(channel),
            health=health_pb2_grpc.HealthStub(channel),
        )
