"""The two questions to a model: judge these windows, describe yourself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.client.calls import Calls
from serving.client.counts import Counts
from serving.client.deadlines import Deadline
from serving.client.lanes import Lanes
from serving.client.messages import (
    describe_request,
    predict_request,
    read_description,
    read_prediction,
    split_batch,
)
from serving.client.retries import RetryPolicy
from serving.client.routes import Target
from serving.prediction import Prediction
from serving.signature import ModelDescription
from tidzam_platform.errors import ModelServerError

_SWAP_ATTEMPTS: Final = 3


class Questions:
    """Asks one target at a time; safe to use from many threads. Errors are those of ``Calls.send``.

    Args:
        predict: the method Predict of a stub.
        calls: sends the requests.
        lanes: whose places and breakers they use.
        counts: where swaps are counted.
        max_message_bytes: largest message, both directions.
    """

    def __init__(
        self, predict: Any, calls: Calls, lanes: Lanes, counts: Counts, max_message_bytes: int
    ) -> None:
        self._predict, self._calls, self._lanes, self._counts = predict, calls, lanes, counts
        self._max_message_bytes = max_message_bytes

    def predict(
        self, batch: NDArray[np.float32], target: Target, deadline: Deadline, retry: RetryPolicy
    ) -> Prediction:
        """Scores of a batch, float32 ``[rows, samples]``: in as many messages as it takes, of one generation."""
        for _ in range(_SWAP_ATTEMPTS):
            answers: list[Prediction] = []
            for part in split_batch(batch, self._max_message_bytes):
                response = self._send(predict_request(part, target), target, deadline, retry)
                answers.append(read_prediction(response, len(part), self._max_message_bytes))
                if answers[-1].generation != answers[0].generation:
                    break  # swapped half-way: the classes may be others, so ask the new one for all of it
            else:
                return _joined(answers)
            self._counts.add("swapped")
        raise ModelServerError(
            f"the model server swapped generations {_SWAP_ATTEMPTS} times during one batch; ask for a version, "
            "or send smaller batches"
        )

    def describe(
        self, target: Target, deadline: Deadline, retry: RetryPolicy
    ) -> tuple[int, ModelDescription]:
        """The version that answered, and what it says of itself."""
        response = self._send(describe_request(target), target, deadline, retry)
        return response.model_spec.version.value, read_description(response, self._max_message_bytes)

    def _send(self, request: Any, target: Target, deadline: Deadline, retry: RetryPolicy) -> Any:
        return self._calls.send(self._predict, request, deadline, self._lanes.of(target), retry)


def _joined(answers: Sequence[Prediction]) -> Prediction:
    return Prediction(
        np.concatenate([answer.scores for answer in answers]),
        np.concatenate([answer.embedding for answer in answers]),
        np.concatenate([answer.level_dbfs for answer in answers]),
        answers[0].generation,
    )
