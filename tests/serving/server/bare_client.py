"""Requests of a client built only from tensorflow-serving-api."""

from __future__ import annotations

import grpc
import pytest

DEADLINE_S = 10


def predict_request(audio=None, name="tidzam", signature="", version=None, **inputs):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if audio is not None:
        inputs["audio"] = audio
    for alias, array in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(array))
    return request


def refused(call, request) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=DEADLINE_S)
    return caught.value.code(), caught.value.details()
