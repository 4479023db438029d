"""``tensorflow.serving.ModelService`` (tensorflow_serving/apis/model_service.proto)."""

from __future__ import annotations

from typing import Any, Final

import grpc

from serving.server.refusals import answering, invalid_argument, not_found, unimplemented
from serving.server.states import VersionStates
from serving.signature import MODEL_NAME

SERVICE_NAME: Final = "tensorflow.serving.ModelService"


class ModelService:
    """GetModelStatus; the versions to serve come from the repository, not from requests."""

    def __init__(self, states: VersionStates) -> None:
        self._states = states
        self.GetModelStatus = answering(self._get_model_status)
        self.HandleReloadConfigRequest = answering(_no_reload)

    def _get_model_status(self, request: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2

        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        ours = spec.name == MODEL_NAME
        if spec.HasField("version"):
            version = spec.version.value
            status = self._states.status(version) if ours else None
            if status is None:
                raise not_found(f"Could not find version {version} of model {spec.name}")
            statuses = [status]
        else:
            statuses = self._states.all() if ours else []
            if not statuses:
                raise not_found(f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in statuses:
            item = response.model_version_status.add(version=status.version, state=int(status.state))
            if status.error:
                item.status.error_code = grpc.StatusCode.UNKNOWN.value[0]
                item.status.error_message = status.error
            else:
                item.status.error_code = grpc.StatusCode.OK.value[0]
        return response


def _no_reload(_request: Any) -> Any:
    raise unimplemented("this server follows the model repository: publish a version there instead")
