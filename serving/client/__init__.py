"""The client of the model server, shared by all rooms: any server of TensorFlow Serving's gRPC API.

``ModelClient`` asks; a ``Route`` says which version answers; docs/model_client.md shows both.
"""

from __future__ import annotations

from serving.client.circuit_breaker import BreakerPolicy, BreakerState
from serving.client.client import ModelClient
from serving.client.counts import ClientCounts
from serving.client.retries import RetryPolicy
from serving.client.routes import Route
from serving.client.shadow import PairLatency, PairObserver
from serving.prediction import Prediction
from serving.signature import CANARY, STABLE

__all__ = [
    "CANARY",
    "STABLE",
    "BreakerPolicy",
    "BreakerState",
    "ClientCounts",
    "ModelClient",
    "PairLatency",
    "PairObserver",
    "Prediction",
    "RetryPolicy",
    "Route",
]
