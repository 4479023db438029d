"""A gRPC server on the official stubs that does what a test tells it to, in TensorFlow Serving's words.

Its versions are made up: ``scores`` are the version, the first sample of each window, and 0.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import grpc
import numpy as np

from serving.signature import DESCRIBE_SIGNATURE
from serving.tensors import decode_tensor, encode_tensor
from tests.support.tiny_model import description
from tidzam_platform.classifiers.backend import load_tensorflow

_WORKERS = 32
_GATE_LIMIT_S = 60.0


@dataclass(frozen=True)
class Asked:
    """What one request asked for; rows is 0 for a description."""

    label: str
    version: int | None
    rows: int


class ScriptedServer:
    """Serves ``versions`` under ``labels``; both may be changed while it runs. A context."""

    def __init__(self, versions: set[int], labels: dict[str, int] | None = None) -> None:
        load_tensorflow()
        from tensorflow_serving.apis import (
            model_service_pb2_grpc,
            prediction_service_pb2_grpc,
        )

        self.versions, self.labels = versions, labels or {}
        self.asked: list[Asked] = []
        self.delay_s = 0.0  # of each Predict
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._failures: dict[str, deque[tuple[grpc.StatusCode, str]]] = {}
        self._always: dict[str, grpc.StatusCode] = {}
        self._gates: dict[str, threading.Event] = {}
        self._server = grpc.server(
            ThreadPoolExecutor(_WORKERS), options=[("grpc.max_receive_message_length", 64 << 20)]
        )
        predictions = prediction_service_pb2_grpc.PredictionServiceServicer()
        predictions.Predict = self._predict
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(predictions, self._server)
        models = model_service_pb2_grpc.ModelServiceServicer()
        models.GetModelStatus = self._status
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for gate in self._gates.values():
            gate.set()
        self._server.stop(0).wait(10)

    def fail_next(self, *codes: grpc.StatusCode, label: str = "", details: str = "as scripted") -> None:
        """The next Predicts (that ask for ``label``, if one is named) end with these codes."""
        self._failures.setdefault(label, deque()).extend((code, details) for code in codes)

    def fail_always(self, code: grpc.StatusCode | None, label: str = "") -> None:
        """All of them do; None ends that."""
        if code is None:
            self._always.pop(label, None)
        else:
            self._always[label] = code

    def hold(self, label: str = "") -> threading.Event:
        """Predicts (of ``label``) are not answered until the event is set."""
        self._gates[label] = threading.Event()
        return self._gates[label]

    def _predict(self, request: Any, context: Any) -> Any:
        from tensorflow_serving.apis import predict_pb2

        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        is_description = spec.signature_name == DESCRIBE_SIGNATURE
        audio = None if is_description else decode_tensor(request.inputs["audio"], 64 << 20)
        with self._lock:
            self.asked.append(Asked(spec.version_label, version, 0 if audio is None else len(audio)))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self._misbehave(spec.version_label, context)
            number = self._chosen(spec.version_label, version, context)
        finally:
            with self._lock:
                self._at_once -= 1
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = number
        if audio is None:
            encode_tensor(np.array([description(number).to_json()], object), response.outputs["json"])
            return response
        scores = np.zeros((len(audio), 3), np.float32)
        scores[:, 0], scores[:, 1] = number, audio[:, 0]
        encode_tensor(scores, response.outputs["scores"])
        encode_tensor(np.zeros((len(audio), 8), np.float32), response.outputs["embedding"])
        encode_tensor(np.zeros(len(audio), np.float32), response.outputs["level_dbfs"])
        return response

    def _misbehave(self, label: str, context: Any) -> None:
        time.sleep(self.delay_s)
        for name in {label, ""}:
            if name in self._gates:
                self._gates[name].wait(_GATE_LIMIT_S)
            with self._lock:
                scripted = self._failures.get(name)
                failure = scripted.popleft() if scripted else None
            if failure is not None:
                context.abort(*failure)
            if name in self._always:
                context.abort(self._always[name], "as always")

    def _chosen(self, label: str, version: int | None, context: Any) -> int:
        if label and label not in self.labels:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        number = self.labels[label] if label else version
        wanted = "Latest(tidzam)" if number is None else f"Specific(tidzam, {number})"
        number = max(self.versions, default=0) if number is None else number
        if number not in self.versions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")
        return number

    def _status(self, _request: Any, _context: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2

        response = get_model_status_pb2.GetModelStatusResponse()
        for version in sorted(self.versions, reverse=True):
            response.model_version_status.add(version=version, state=30)
        return response
