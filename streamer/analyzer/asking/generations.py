"""The generations that answer: what each says of itself, known before anybody reads its scores."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from serving.client.routes import Key, Route
from serving.prediction import Prediction
from serving.signature import ModelDescription

_MOST: Final = 16  # as ModelClient keeps


class AskedModel(Protocol):
    """What is asked: ``serving.client.ModelClient``, or what stands for it."""

    @property
    def uses_keys(self) -> bool:
        """Whether ``predict`` looks at its ``key``."""
        ...

    def predict(
        self,
        audio: NDArray[np.float32],
        *,
        route: Route | None = None,
        key: Key | None = None,
        deadline_s: float | None = None,
    ) -> Prediction:
        """Judge windows, float32 ``[windows, samples]``; by another route than the usual one where that is given."""
        ...

    def describe(self, version: int | None = None) -> ModelDescription:
        """What a version says of itself, by default the one in service."""
        ...


class Generations:
    """Descriptions by generation, the last ones that were learned; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[int, ModelDescription] = OrderedDict()

    def of(self, generation: int) -> ModelDescription | None:
        """What it said of itself; None if nobody has asked."""
        with self._lock:
            return self._known.get(generation)

    def put(self, description: ModelDescription) -> None:
        """Keep it."""
        with self._lock:
            self._known[description.generation] = description
            self._known.move_to_end(description.generation)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def learn(self, model: AskedModel, generation: int) -> ModelDescription:
        """Ask for it, and keep it.

        The client asks the server once, and once more after it was away: another one may have come, which numbers its
        generations anew.

        Raises:
            ModelServerError, ModelRepositoryError: as ``ModelClient.describe``.
        """
        description = model.describe(generation)
        if self.of(description.generation) is not description:
            self.put(description)
        return description
