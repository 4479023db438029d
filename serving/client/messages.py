"""Protos of TensorFlow Serving's APIs: requests made, responses read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.client.routes import Target
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
from tidzam_platform.errors import ModelServerError

# Larger requests are no faster, and keep other clients waiting.
MAX_ROWS_PER_REQUEST: Final = 64
_ENVELOPE_BYTES: Final = 64 << 10  # of a message, for everything but the samples


def split_batch(batch: NDArray[np.float32], max_message_bytes: int) -> Iterator[NDArray[np.float32]]:
    """The batch in parts that each fit a message; an empty batch is one part.

    Raises:
        ModelServerError: one window is larger than a message.
    """
    row_bytes = max(1, batch.shape[1]) * batch.itemsize
    rows = min(MAX_ROWS_PER_REQUEST, (max_message_bytes - _ENVELOPE_BYTES) // row_bytes)
    if rows < 1:
        raise ModelServerError(
            f"one window of {batch.shape[1]} samples is larger than a message of "
            f"{max_message_bytes >> 20} MB: raise model_server.max_message_mb"
        )
    for start in range(0, max(1, len(batch)), rows):
        yield batch[start : start + rows]


def predict_request(part: NDArray[np.float32], target: Target) -> Any:
    """A PredictRequest for windows, float32 ``[rows, samples]``."""
    request = _request(PREDICT_SIGNATURE, target)
    encode_content(part, request.inputs[AUDIO_INPUT])
    return request


def describe_request(target: Target) -> Any:
    """A PredictRequest for the model's description of itself."""
    import tensorflow as tf

    request = _request(DESCRIBE_SIGNATURE, target)
    request.inputs[REQUEST_INPUT].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.int32)))
    return request


def status_request() -> Any:
    """A GetModelStatusRequest for all versions."""
    from tensorflow_serving.apis import get_model_status_pb2

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = MODEL_NAME
    return request


def read_prediction(response: Any, rows: int, max_bytes: int) -> Prediction:
    """What a PredictResponse holds.

    Raises:
        ModelServerError: an output is missing or damaged, or is not of that many rows.
    """
    scores, embedding, level_dbfs = (_output(response, name, max_bytes) for name in PREDICT_OUTPUTS)
    for name, output in zip(PREDICT_OUTPUTS, (scores, embedding, level_dbfs), strict=True):
        if output.shape[:1] != (rows,):
            raise ModelServerError(
                f"the model server answered {name} of shape {list(output.shape)} for {rows} windows"
            )
    return Prediction(scores, embedding, level_dbfs, response.model_spec.version.value)


def read_description(response: Any, max_bytes: int) -> ModelDescription:
    """What a PredictResponse of the signature ``describe`` holds.

    Raises:
        ModelServerError: it holds no such text.
        ModelRepositoryError: the text is no description.
    """
    texts = _output(response, JSON_OUTPUT, max_bytes)
    if texts.size == 0:
        raise ModelServerError(f"the model server answered no {JSON_OUTPUT!r}: is the model one of ours?")
    return ModelDescription.from_json(texts.item(0))


def read_statuses(response: Any) -> dict[int, tuple[str, str]]:
    """State and error by version, of a GetModelStatusResponse."""
    from tensorflow_serving.apis import get_model_status_pb2

    name = get_model_status_pb2.ModelVersionStatus.State.Name
    return {
        item.version: (name(item.state), item.status.error_message) for item in response.model_version_status
    }


def _request(signature: str, target: Target) -> Any:
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL_NAME
    request.model_spec.signature_name = signature
    if target.label:
        request.model_spec.version_label = target.label
    elif target.version is not None:
        request.model_spec.version.value = target.version
    return request


def _output(response: Any, name: str, max_bytes: int) -> NDArray[Any]:
    if name not in response.outputs:
        raise ModelServerError(f"the model server answers no {name!r}: is the model one of ours?")
    try:
        return decode_tensor(response.outputs[name], max_bytes)
    except TensorError as error:
        raise ModelServerError(f"the model server answered nonsense: {error}") from error
