"""``tensorflow.serving.PredictionService`` (tensorflow_serving/apis/prediction_service.proto)."""

from __future__ import annotations

from typing import Any, Final

from serving.server.answering import Answering
from serving.server.requests import Requests

SERVICE_NAME: Final = "tensorflow.serving.PredictionService"


class PredictionService:
    """The methods that gRPC registers, over ``requests``."""

    def __init__(self, requests: Requests, answering: Answering) -> None:
        self.Predict = answering.answers(
            "Predict",
            lambda request, context: requests.predict(request, _time_left_s(context)),
        )
        self.GetModelMetadata = answering.answers(
            "GetModelMetadata", lambda request, _: requests.model_metadata(request)
        )
        self.Classify = answering.answers("Classify", lambda request, _: requests.classify(request))
        self.Regress = answering.answers("Regress", lambda request, _: requests.regress(request))
        self.MultiInference = answering.answers(
            "MultiInference", lambda request, _: requests.classify(request)
        )


def _time_left_s(context: Any) -> float | None:
    left_s: float | None = context.time_remaining()
    return left_s if context.is_active() else 0.0
