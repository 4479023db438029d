"""The client of the model server: any server of TensorFlow Serving's gRPC API that holds a model of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.audio_batch import as_audio_batch
from serving.prediction import Prediction
from serving.signature import (
    AUDIO_INPUT,
    DESCRIBE_SIGNATURE,
    JSON_OUTPUT,
    MODEL_NAME,
    PREDICT_OUTPUTS,
    PREDICT_SIGNATURE,
    REQUEST_INPUT,
    ModelDescription,
)
from serving.tensors import TensorError, decode_tensor, encode_content
from tidzam_platform.audio import Window
from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.errors import (
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)

__all__ = ["ModelClient", "Prediction"]

# Larger requests are no faster, and keep other clients waiting.
MAX_ROWS_PER_REQUEST: Final = 64
_ENVELOPE_BYTES: Final = 64 << 10  # of a message, for everything but the samples
_SWAP_ATTEMPTS: Final = 3
_STATUS_INTERVAL_S: Final = 0.2
_RECONNECT_MS: Final = (100, 2000)  # first and longest wait; gRPC's own would be 1 s and 2 minutes


class ModelClient:
    """A connection to the model server; safe to use from many threads, not across a fork.

    Args:
        address: ``host:port``.
        deadline_s: how long one request may take.
        max_message_mb: largest message; at most what the server accepts.

    Every method may raise:
        ModelServerUnavailableError: no server answers at the address.
        ModelServerDeadlineError: it did not answer in time.
        ModelServerError: it refused the request, or answered nonsense.
    """

    def __init__(self, address: str, *, deadline_s: float = 10.0, max_message_mb: int = 64) -> None:
        load_tensorflow()  # the stubs import TensorFlow: quietly, please
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self._address, self._deadline_s = address, deadline_s
        self._max_message_bytes = max_message_mb << 20
        first_ms, longest_ms = _RECONNECT_MS
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", self._max_message_bytes),
                ("grpc.enable_http_proxy", 0),
                ("grpc.use_local_subchannel_pool", 1),  # a new client does not inherit an old one's back-off
                ("grpc.initial_reconnect_backoff_ms", first_ms),
                ("grpc.min_reconnect_backoff_ms", longest_ms),
                ("grpc.max_reconnect_backoff_ms", longest_ms),
            ],
        )
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; requests in flight are cancelled."""
        self._channel.close()

    def describe(self, version: int | None = None) -> ModelDescription:
        """What the version in service (or ``version``) says of itself."""
        import tensorflow as tf

        request = self._request(DESCRIBE_SIGNATURE, version)
        request.inputs[REQUEST_INPUT].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.int32)))
        response = self._call(self._predictions.Predict, request)
        return ModelDescription.from_json(self._output(response, JSON_OUTPUT).item(0))

    def predict_windows(self, windows: Sequence[Window]) -> Prediction:
        """Judge all channels of each window in turn, by the version in service."""
        return self.predict(np.concatenate([window.samples for window in windows]))

    def predict(self, audio: NDArray[np.float32], version: int | None = None) -> Prediction:
        """Judge windows; a batch larger than a message is split, and answered by one generation as a whole.

        Args:
            audio: float32 ``[batch, samples]`` in [-1, 1] at the model's rate.
            version: the version to ask; the one in service by default.
        """
        batch = as_audio_batch(audio)
        parts = list(self._parts(batch))
        for _ in range(_SWAP_ATTEMPTS):
            answers = []
            for part in parts:
                answers.append(self._predict(part, version))
                if answers[-1].generation != answers[0].generation:
                    break  # swapped half-way: the classes may be others, so ask the new one for all of it
            else:
                return Prediction(
                    np.concatenate([answer.scores for answer in answers]),
                    np.concatenate([answer.embedding for answer in answers]),
                    np.concatenate([answer.level_dbfs for answer in answers]),
                    answers[0].generation,
                )
        raise ModelServerError(
            f"the model server at {self._address} swapped generations {_SWAP_ATTEMPTS} times during one "
            "batch; ask for a version, or send smaller batches"
        )

    def status(self) -> dict[int, str]:
        """State of each version that the server knows: START, LOADING, AVAILABLE, UNLOADING or END."""
        return {version: state for version, (state, _) in self._statuses(self._deadline_s).items()}

    def wait_until_available(self, version: int | None = None, timeout_s: float = 60.0) -> int:
        """Wait until ``version`` (or any version) answers, also for a server that is not up yet; returns it.

        Raises:
            ModelServerDeadlineError: it does not within ``timeout_s``; says what was last heard.
            ModelServerError: the server could not load ``version``.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            left_s = end_s - time.monotonic()
            try:
                statuses = self._statuses(max(_STATUS_INTERVAL_S, min(left_s, self._deadline_s)))
                available = [number for number, (state, _) in statuses.items() if state == "AVAILABLE"]
                if version in available or (version is None and available):
                    return max(available) if version is None else version
                state, error = statuses.get(version or 0, ("unknown to it", ""))
                if error:
                    raise ModelServerError(
                        f"the model server at {self._address} cannot serve {version}: {error}"
                    )
                heard = "it serves no version yet" if version is None else f"version {version} is {state}"
            except (ModelServerUnavailableError, ModelServerDeadlineError) as error:
                heard = str(error)
            if left_s <= _STATUS_INTERVAL_S:
                raise ModelServerDeadlineError(
                    f"the model server at {self._address} was not ready within {timeout_s:g} s: {heard}"
                )
            time.sleep(_STATUS_INTERVAL_S)

    def _parts(self, batch: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        row_bytes = max(1, batch.shape[1]) * batch.itemsize
        rows = min(MAX_ROWS_PER_REQUEST, (self._max_message_bytes - _ENVELOPE_BYTES) // row_bytes)
        if rows < 1:
            raise ModelServerError(
                f"one window of {batch.shape[1]} samples is larger than a message of "
                f"{self._max_message_bytes >> 20} MB: raise model_server.max_message_mb"
            )
        for start in range(0, max(1, len(batch)), rows):
            yield batch[start : start + rows]

    def _predict(self, part: NDArray[np.float32], version: int | None) -> Prediction:
        request = self._request(PREDICT_SIGNATURE, version)
        encode_content(part, request.inputs[AUDIO_INPUT])
        response = self._call(self._predictions.Predict, request)
        scores, embedding, level_dbfs = (self._output(response, name) for name in PREDICT_OUTPUTS)
        return Prediction(scores, embedding, level_dbfs, response.model_spec.version.value)

    def _statuses(self, deadline_s: float) -> dict[int, tuple[str, str]]:
        """State and error by version; empty while the server knows no version."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = MODEL_NAME
        try:
            response = self._models.GetModelStatus(request, timeout=deadline_s)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return {}
            raise self._error(error) from error
        name = get_model_status_pb2.ModelVersionStatus.State.Name
        return {
            item.version: (name(item.state), item.status.error_message)
            for item in response.model_version_status
        }

    def _request(self, signature: str, version: int | None) -> Any:
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = MODEL_NAME
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        return request

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._deadline_s)
        except grpc.RpcError as error:
            raise self._error(error) from error

    def _output(self, response: Any, name: str) -> NDArray[Any]:
        if name not in response.outputs:
            raise ModelServerError(f"the model at {self._address} gives no {name!r}: is it one of ours?")
        try:
            return decode_tensor(response.outputs[name], self._max_message_bytes)
        except TensorError as error:
            raise ModelServerError(
                f"the model server at {self._address} answered nonsense: {error}"
            ) from error

    def _error(self, error: Any) -> ModelServerError:
        code, details = error.code(), error.details()
        if code is grpc.StatusCode.UNAVAILABLE:
            return ModelServerUnavailableError(
                f"no model server answers at {self._address} ({details}); start one with ./tidzam serve"
            )
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return ModelServerDeadlineError(
                f"the model server at {self._address} did not answer within {self._deadline_s:g} s"
            )
        return ModelServerError(f"the model server at {self._address} refused: {code.name}: {details}")
