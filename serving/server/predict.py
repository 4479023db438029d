"""One Predict request against one loaded version: checked, run, answered.

Checks and words follow TensorFlow Serving (servables/tensorflow/predict_util.cc and TensorFlow's
cc/saved_model/util.cc) where it has them. Stricter than it: a shape that contradicts the signature, and audio
that no model can judge, are refused before the graph runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import grpc
from numpy.typing import NDArray

from serving.audio_batch import find_unusable_row
from serving.server.loaded_version import LoadedVersion
from serving.server.refusals import RefusalError, from_tensorflow, invalid_argument
from serving.signature import AUDIO_INPUT, PREDICT_SIGNATURE
from serving.tensors import TensorError, decode_tensor, encode_tensor

_MAX_SHOWN_DIMENSIONS: Final = 8


def predict(loaded: LoadedVersion, request: Any, *, max_tensor_bytes: int, timeout_s: float) -> Any:
    """Answer a PredictRequest with a PredictResponse.

    Raises:
        RefusalError: the request does not fit the signature, or the graph failed.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    signature_name = request.model_spec.signature_name or PREDICT_SIGNATURE
    signature = loaded.signatures.get(signature_name)
    if signature is None:
        raise RefusalError(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature_name}" not found.'
        )
    inputs = _inputs(signature, request, max_tensor_bytes)
    if (
        signature_name == PREDICT_SIGNATURE
        and (complaint := find_unusable_row(inputs[AUDIO_INPUT])) is not None
    ):
        raise invalid_argument(complaint)
    outputs = _outputs(signature, list(request.output_filter))
    try:
        answers = loaded.run(signature_name, inputs, outputs, timeout_s)
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error

    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = loaded.version
    response.model_spec.signature_name = signature_name
    for name, array in answers.items():
        encode_tensor(array, response.outputs[name])
    return response


def _inputs(signature: Any, request: Any, max_tensor_bytes: int) -> dict[str, NDArray[Any]]:
    sent, wanted = set(request.inputs), set(signature.inputs)
    if len(sent) != len(wanted):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(wanted)} "
            f"len({_set(sent)}) != len({_set(wanted)}). "
            f"Sent extra: {_set(sent - wanted)}. Missing but required: {_set(wanted - sent)}."
        )
    arrays = {}
    for alias in sorted(sent):
        if alias not in wanted:
            raise invalid_argument(
                f"input tensor alias not found in signature: {alias}. "
                f"Inputs expected to be in the set {_set(wanted)}."
            )
        arrays[alias] = _input(alias, signature.inputs[alias], request.inputs[alias], max_tensor_bytes)
    return arrays


def _input(alias: str, info: Any, proto: Any, max_tensor_bytes: int) -> NDArray[Any]:
    if proto.dtype != info.dtype:
        raise invalid_argument(
            f"input tensor {alias}: Expects arg[0] to be {_type_name(info.dtype)} "
            f"but {_type_name(proto.dtype)} is provided"
        )
    if not _is_compatible(info.tensor_shape, proto.tensor_shape):
        raise invalid_argument(
            f"input tensor {alias}: Incompatible shapes: got {_shape_text(proto.tensor_shape)}, "
            f"the signature has {_shape_text(info.tensor_shape)} (-1 is any size)"
        )
    try:
        return decode_tensor(proto, max_tensor_bytes)
    except TensorError as error:
        raise invalid_argument(f"tensor parsing error: {alias}: {error}") from error


def _is_compatible(expected: Any, given: Any) -> bool:
    """Whether the TensorShapeProto ``given`` may stand where the signature has ``expected``."""
    if expected.unknown_rank or given.unknown_rank:
        return bool(expected.unknown_rank)
    return len(expected.dim) == len(given.dim) and all(
        mine.size in (-1, theirs.size) for mine, theirs in zip(expected.dim, given.dim, strict=True)
    )


def _shape_text(shape: Any) -> str:
    if shape.unknown_rank:
        return "[unknown]"
    sizes = [str(dimension.size) for dimension in shape.dim[: _MAX_SHOWN_DIMENSIONS + 1]]
    if len(sizes) > _MAX_SHOWN_DIMENSIONS:
        sizes[-1] = "..."
    return f"[{','.join(sizes)}]"


def _outputs(signature: Any, wanted: list[str]) -> list[str]:
    for position, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(signature.outputs)}."
            )
        if alias in wanted[:position]:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
    return wanted or sorted(signature.outputs)


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _type_name(enum: int) -> str:
    """TensorFlow's own name of a DataType, e.g. ``float``, ``double``, ``string``."""
    from tensorflow.core.framework import types_pb2

    if enum not in types_pb2.DataType.values():
        return f"type {enum}"
    return str(types_pb2.DataType.Name(enum)).removeprefix("DT_").lower()
