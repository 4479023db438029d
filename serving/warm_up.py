"""Warm-up records: requests that a server replays before a version may answer.

The file and its format are TensorFlow Serving's (https://www.tensorflow.org/tfx/serving/saved_model_warmup):
a TFRecord file of ``PredictionLog`` at ``assets.extra/tf_serving_warmup_requests``, at most 1000 of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.signature import AUDIO_INPUT, DESCRIBE_SIGNATURE, MODEL_NAME, PREDICT_SIGNATURE, REQUEST_INPUT
from tidzam_platform.errors import ModelRepositoryError

WARM_UP_PATH: Final = Path("assets.extra") / "tf_serving_warmup_requests"
WARM_UP_BATCHES: Final = (1, 16, 64)
MAX_RECORDS: Final = 1000
# Real windows in a record; the rest of its batch is silence, which takes no room in the file.
_MAX_REAL_ROWS: Final = 4


def write_warm_up(folder: Path, audio: NDArray[np.float32]) -> None:
    """Write records for the batch sizes that clients send, and one for ``describe``.

    Args:
        folder: of the SavedModel.
        audio: float32 ``[rows, samples]``, at least one real window.
    """
    import tensorflow as tf

    path = folder / WARM_UP_PATH
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in WARM_UP_BATCHES:
            request = _request(PREDICT_SIGNATURE)
            tensor = request.inputs[AUDIO_INPUT]
            tensor.dtype = tf.float32.as_datatype_enum
            for size in (batch, audio.shape[1]):
                tensor.tensor_shape.dim.add(size=size)
            real = audio[: min(batch, _MAX_REAL_ROWS)].ravel().tolist()
            # Where values are missing the last one is repeated: a zero here is silence to the end of the
            # batch.
            tensor.float_val.extend(real if len(real) == batch * audio.shape[1] else [*real, 0.0])
            writer.write(_log(request))
        request = _request(DESCRIBE_SIGNATURE)
        request.inputs[REQUEST_INPUT].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.int32)))
        writer.write(_log(request))


def read_warm_up(folder: Path) -> Iterator[Any]:
    """The PredictRequests of the warm-up file, in order; none when there is no file.

    Raises:
        ModelRepositoryError: the file is damaged, has too many records, or one that is no Predict request.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    path = folder / WARM_UP_PATH
    if not path.exists():
        return
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
            if number >= MAX_RECORDS:
                raise ModelRepositoryError(f"{path} has more than {MAX_RECORDS} records")
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") != "predict_log":
                raise ModelRepositoryError(f"record {number} of {path} is no Predict request")
            yield log.predict_log.request
    except (tf.errors.OpError, DecodeError) as error:
        raise ModelRepositoryError(f"{path} is no TFRecord file of PredictionLogs: {error}") from error


def _request(signature: str) -> Any:
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL_NAME
    request.model_spec.signature_name = signature
    return request


def _log(request: Any) -> bytes:
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    return bytes(log.SerializeToString())
