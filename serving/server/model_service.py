"""``tensorflow.serving.ModelService`` (tensorflow_serving/apis/model_service.proto)."""

from __future__ import annotations

from typing import Final

from serving.server.answering import Answering
from serving.server.requests import Requests

SERVICE_NAME: Final = "tensorflow.serving.ModelService"


class ModelService:
    """The methods that gRPC registers, over ``requests``."""

    def __init__(self, requests: Requests, answering: Answering) -> None:
        self.GetModelStatus = answering.answers(
            "GetModelStatus", lambda request, _: requests.model_status(request)
        )
        self.HandleReloadConfigRequest = answering.answers(
            "HandleReloadConfigRequest",
            lambda request, context: requests.reload_config(request, context.time_remaining()),
        )
