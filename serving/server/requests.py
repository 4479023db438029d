"""What the server answers, whichever way a request came: protos in, protos out, refusals with canonical codes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc

from serving.server.loaded_version import LoadedVersion
from serving.server.metrics import Metrics
from serving.server.predict import predict
from serving.server.refusals import RefusalError, invalid_argument, not_found, unimplemented
from serving.server.served_versions import ServedVersions
from serving.server.serving_config import ServingConfig, config_of_proto
from serving.signature import MODEL_NAME
from tidzam_platform.errors import ModelRepositoryError

_SIGNATURE_DEF: Final = "signature_def"
# The longest run of a request that brought no deadline of its own.
MAX_RUN_S: Final = 60.0
_RELOAD_LIMIT_S: Final = 120.0


class Requests:
    """The methods of TensorFlow Serving's services over the versions in service; safe to use from many threads.

    Each takes and gives a proto of ``tensorflow_serving.apis`` and raises RefusalError.

    Args:
        versions: what answers.
        look: makes the server look at its config and repository; returns whether it has, within so many seconds.
        metrics: where expired requests are counted.
        base_path: of the repository; a config that names another is refused.
        max_message_bytes: largest tensor that is decoded.
    """

    def __init__(
        self,
        versions: ServedVersions,
        look: Callable[[float], bool],
        metrics: Metrics,
        base_path: Path,
        max_message_bytes: int,
    ) -> None:
        self._versions = versions
        self._look = look
        self._reloading = threading.Lock()
        self._metrics = metrics
        self._base_path = base_path
        self.max_message_bytes = max_message_bytes

    def predict(self, request: Any, timeout_s: float | None) -> Any:
        """A PredictResponse for a PredictRequest; ``timeout_s`` is what the client still waits, None for ever."""
        if timeout_s is not None and timeout_s <= 0:
            # It waited in our queue until nobody wanted the answer: spend nothing on it.
            self._metrics.expired()
            raise RefusalError(
                grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the request ran"
            )
        with self._version(request) as loaded:
            limit_s = MAX_RUN_S if timeout_s is None else min(MAX_RUN_S, timeout_s)
            return predict(loaded, request, max_tensor_bytes=self.max_message_bytes, timeout_s=limit_s)

    def classify(self, _request: Any) -> Any:
        """UNIMPLEMENTED, as are ``regress`` and MultiInference: their input is tf.Examples, a model's is audio."""
        raise unimplemented(
            "the model takes audio, not tf.Examples: call Predict with the signature serving_default"
        )

    regress = classify

    def model_metadata(self, request: Any) -> Any:
        """A GetModelMetadataResponse with the signatures as the SavedModel has them."""
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

    def model_status(self, request: Any) -> Any:
        """A GetModelStatusResponse: the state of one version, of a label's, or of all that this server met."""
        from tensorflow_serving.apis import get_model_status_pb2

        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec, states = request.model_spec, self._versions.states
        ours = spec.name == MODEL_NAME
        version = self._chosen(spec)
        if version is not None:
            status = states.status(version) if ours else None
            if status is None:
                raise not_found(f"Could not find version {version} of model {spec.name}")
            statuses = [status]
        else:
            statuses = states.all() if ours else []
            if not statuses:
                raise not_found(f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in statuses:
            item = response.model_version_status.add(version=status.version, state=int(status.state))
            code = grpc.StatusCode.UNKNOWN if status.error else grpc.StatusCode.OK
            item.status.error_code, item.status.error_message = code.value[0], status.error
        return response

    def reload_config(self, request: Any, timeout_s: float | None = None) -> Any:
        """A ReloadConfigResponse, once the versions of the config answer; refused, it changes nothing.

        The config holds until ``models.config`` of the repository changes, which then wins.
        """
        from tensorflow_serving.apis import model_management_pb2

        try:
            config = config_of_proto(request.config, self._base_path)
        except ModelRepositoryError as error:
            raise invalid_argument(str(error)) from error
        limit_s = _RELOAD_LIMIT_S if timeout_s is None else min(_RELOAD_LIMIT_S, timeout_s)
        if not self._reloading.acquire(blocking=False):
            raise RefusalError(grpc.StatusCode.UNAVAILABLE, "another config is being tried: come again")
        try:
            self._reload(config, limit_s)
        finally:
            self._reloading.release()
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = grpc.StatusCode.OK.value[0]
        return response

    def _reload(self, config: ServingConfig, limit_s: float) -> None:
        """Load what ``config`` asks for beside what answers; only when all of it is there, let go and move labels."""
        versions, before = self._versions, self._versions.config
        asked = {*config.versions, *config.labels.values()}
        beside = tuple(sorted({*versions.in_service, *asked}))
        trial = ServingConfig("specific", versions=beside, labels=versions.labels)
        finished = versions.replace_config(before, trial) and self._look(limit_s)
        missing = sorted(asked - set(versions.in_service))
        if missing or not finished:
            versions.replace_config(trial, before)
        if missing:
            # server_core.cc UpdateModelVersionLabelMap: labels go to versions that answer. Here versions, too.
            status = versions.states.status(missing[0])
            because = "" if status is None or not status.error else f": {status.error}"
            raise RefusalError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"version {missing[0]} of model {MODEL_NAME} is not available for inference{because}",
            )
        if not finished:
            raise RefusalError(grpc.StatusCode.DEADLINE_EXCEEDED, "versions are still being loaded")
        if not versions.replace_config(trial, config):
            raise RefusalError(grpc.StatusCode.ABORTED, "models.config changed meanwhile, and holds")
        self._look(limit_s)

    @contextlib.contextmanager
    def _version(self, request: Any) -> Iterator[LoadedVersion]:
        """The version that a request's ``model_spec`` asks for: a number, a label, or the newest in service."""
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        if not spec.name:  # server_core.cc ServableRequestFromModelSpec
            raise invalid_argument("ModelSpec has no name specified.")
        version = self._chosen(spec)
        wanted = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
        if spec.name != MODEL_NAME:
            raise not_found(f"Servable not found for request: {wanted}")
        with self._versions.use(version, spec.version_label) as loaded:
            if loaded is None:
                raise not_found(f"Servable not found for request: {wanted}")
            yield loaded

    def _chosen(self, spec: Any) -> int | None:
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            label = spec.version_label
            # A label whose version is still being loaded stands for it: NOT_FOUND, and no other version answers.
            version = self._versions.labels.get(label, self._versions.config.labels.get(label))
            if spec.name != MODEL_NAME or version is None:
                raise invalid_argument(f"Unrecognized servable version label: {label}")
            return version
        return int(spec.version.value) if choice == "version" else None
