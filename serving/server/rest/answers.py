"""What each method of the REST API does: from JSON to protos, to ``Requests``, and back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn

import grpc
from flask import Request

from serving.server.refusals import RefusalError, invalid_argument
from serving.server.requests import Requests
from serving.server.rest.bodies import read_body
from serving.server.rest.json_text import JsonValue, parse_json
from serving.server.rest.paths import Target
from serving.server.rest.predict_answer import answer_text
from serving.server.rest.predict_request import Format, fill_inputs, signature_name
from serving.server.rest.proto_json import metadata_text, status_text, unpacked_signatures
from serving.signature import PREDICT_SIGNATURE

MAX_PREDICTIONS: Final = 16  # at the same time
_LARGE_BODY_BYTES: Final = 1 << 20
_FLOAT_BYTES: Final = 4
_SIGNATURE_DEF: Final = "signature_def"


class Answers:
    """The answers of all methods; safe to use from many threads."""

    def __init__(self, requests: Requests, timeout_s: float) -> None:
        self._requests = requests
        self._timeout_s = timeout_s
        self._max_numbers = requests.max_message_bytes // _FLOAT_BYTES
        self._large_body = threading.Lock()
        self._predictions = threading.BoundedSemaphore(MAX_PREDICTIONS)
        self._methods: Mapping[str, Callable[[Target, Request], str]] = {
            "Predict": self._predict,
            "Classify": self._classify,
            "Regress": self._regress,
            "GetModelStatus": self._status,
            "GetModelMetadata": self._metadata,
        }

    def text(self, target: Target, request: Request) -> str:
        """The JSON that answers ``request``.

        Raises:
            RefusalError: the request is wrong, or was not answered.
            HTTPException: its body is too large.
        """
        return self._methods[target.api](target, request)

    def _predict(self, target: Target, request: Request) -> str:
        deadline_s = time.monotonic() + self._timeout_s
        if not self._predictions.acquire(blocking=False):  # the other threads answer status and figures
            raise RefusalError(grpc.StatusCode.UNAVAILABLE, "too many predictions at once: come again")
        try:
            message, form = self._predict_request(target, request, deadline_s)
            response = self._requests.predict(message, deadline_s - time.monotonic())
            return answer_text(response.outputs, form)
        finally:
            self._predictions.release()

    def _predict_request(self, target: Target, request: Request, deadline_s: float) -> tuple[Any, Format]:
        from tensorflow_serving.apis import predict_pb2

        message = predict_pb2.PredictRequest()
        target.fill(message.model_spec)
        with self._room(request, deadline_s):
            document = self._document(request)
            message.model_spec.signature_name = signature_name(document)
            wanted = self._inputs(target, message.model_spec.signature_name)
            return message, fill_inputs(document, wanted, message.inputs)

    def _document(self, request: Request) -> JsonValue:
        limit = request.max_content_length
        if limit is None:
            raise RuntimeError("MAX_CONTENT_LENGTH is not set")
        return parse_json(read_body(request, limit), self._max_numbers)

    @contextlib.contextmanager
    def _room(self, request: Request, deadline_s: float) -> Iterator[None]:
        """Large bodies are read one at a time: together they would take memory, and no less time."""
        packed = "Content-Encoding" in request.headers
        if not packed and (request.content_length or _LARGE_BODY_BYTES) < _LARGE_BODY_BYTES:
            yield
            return
        if not self._large_body.acquire(timeout=max(0.0, deadline_s - time.monotonic())):
            raise RefusalError(
                grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed while other large requests were read"
            )
        try:
            yield
        finally:
            self._large_body.release()

    def _inputs(self, target: Target, signature: str) -> Mapping[str, Any]:
        """TensorInfo by name of a signature's inputs; words of http_rest_api_handler.cc GetInfoMap."""
        signatures = unpacked_signatures(self._model_metadata(target)).signature_def
        name = signature or PREDICT_SIGNATURE
        if name not in signatures:
            raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
        inputs: Mapping[str, Any] = dict(signatures[name].inputs)
        if not inputs:
            raise invalid_argument(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
        return inputs

    def _model_metadata(self, target: Target) -> Any:
        from tensorflow_serving.apis import get_model_metadata_pb2

        message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[_SIGNATURE_DEF])
        target.fill(message.model_spec)
        return self._requests.model_metadata(message)

    def _metadata(self, target: Target, _request: Request) -> str:
        return metadata_text(self._model_metadata(target))

    def _status(self, target: Target, _request: Request) -> str:
        from tensorflow_serving.apis import get_model_status_pb2

        message = get_model_status_pb2.GetModelStatusRequest()
        target.fill(message.model_spec)
        return status_text(self._requests.model_status(message))

    def _classify(self, target: Target, _request: Request) -> NoReturn:
        from tensorflow_serving.apis import classification_pb2

        message = classification_pb2.ClassificationRequest()
        target.fill(message.model_spec)
        self._requests.classify(message)
        raise RuntimeError("Requests.classify answered: there is no JSON for that yet")

    def _regress(self, target: Target, _request: Request) -> NoReturn:
        from tensorflow_serving.apis import regression_pb2

        message = regression_pb2.RegressionRequest()
        target.fill(message.model_spec)
        self._requests.regress(message)
        raise RuntimeError("Requests.regress answered: there is no JSON for that yet")
