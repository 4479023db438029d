"""``tensorflow.serving.PredictionService`` (tensorflow_serving/apis/prediction_service.proto)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import grpc

from serving.server.loaded_version import LoadedVersion
from serving.server.predict import predict
from serving.server.refusals import (
    RefusalError,
    answering,
    invalid_argument,
    not_found,
    unimplemented,
)
from serving.server.served_versions import ServedVersions
from serving.signature import MODEL_NAME

SERVICE_NAME: Final = "tensorflow.serving.PredictionService"
_SIGNATURE_DEF: Final = "signature_def"
# The longest run of a request that brought no deadline of its own.
_MAX_RUN_S: Final = 60.0


class PredictionService:
    """Predict and GetModelMetadata; the other methods need signatures over tf.Examples, which we have not."""

    def __init__(self, versions: ServedVersions, max_message_bytes: int) -> None:
        self._versions = versions
        self._max_tensor_bytes = max_message_bytes
        self.GetModelMetadata = answering(self._get_model_metadata)
        self.Classify = self.Regress = self.MultiInference = answering(_not_for_audio)

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name is the protocol's
        """Run a signature on the tensors of a PredictRequest."""
        return answering(lambda message: self._predict(message, context))(request, context)

    def _predict(self, request: Any, context: Any) -> Any:
        left_s = context.time_remaining()
        if not context.is_active() or (left_s is not None and left_s <= 0):
            # It waited in our queue until nobody wanted the answer: spend nothing on it.
            raise RefusalError(
                grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the request ran"
            )
        with self._version(request) as loaded:
            timeout_s = min(_MAX_RUN_S, left_s) if left_s is not None else _MAX_RUN_S
            return predict(loaded, request, max_tensor_bytes=self._max_tensor_bytes, timeout_s=timeout_s)

    def _get_model_metadata(self, request: Any) -> Any:
        from tensorflow_serving.apis import get_model_metadata_pb2

        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise invalid_argument(f"Metadata field {field} is not supported")
        with self._version(request) as loaded:
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in loaded.signatures.items():
                signatures.signature_def[name].CopyFrom(definition)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = MODEL_NAME
            response.model_spec.version.value = loaded.version
            response.metadata[_SIGNATURE_DEF].Pack(signatures)
            return response

    @contextlib.contextmanager
    def _version(self, request: Any) -> Iterator[LoadedVersion]:
        """The version that a request's ``model_spec`` asks for: a number, or the one in service."""
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
        version = spec.version.value if choice == "version" else None
        wanted = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
        if spec.name != MODEL_NAME:
            raise not_found(f"Servable not found for request: {wanted}")
        with self._versions.use(version) as loaded:
            if loaded is None:
                raise not_found(f"Servable not found for request: {wanted}")
            yield loaded


def _not_for_audio(_request: Any) -> Any:
    raise unimplemented(
        "the model takes audio, not tf.Examples: call Predict with the signature serving_default"
    )
