"""The client: one object for a server, from which many threads ask."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from serving.audio_batch import as_audio_batch
from serving.client.availability import Availability
from serving.client.calls import Calls
from serving.client.channel import open_channel
from serving.client.circuit_breaker import BreakerPolicy, BreakerState
from serving.client.counts import ClientCounts, Counts
from serving.client.deadlines import Deadline
from serving.client.descriptions import Descriptions
from serving.client.lanes import Lanes
from serving.client.missing_labels import MissingLabels
from serving.client.questions import Questions
from serving.client.retries import ONCE, RetryPolicy
from serving.client.routes import Key, Route, Target, point_of
from serving.client.routing import Router
from serving.client.shadow import PairObserver, Shadow
from serving.prediction import Prediction
from serving.signature import CANARY, STABLE, ModelDescription
from tidzam_platform.audio import Window
from tidzam_platform.classifiers.backend import load_tensorflow
from tidzam_platform.errors import SettingsError


class ModelClient:
    """A connection to the model server; safe to use from many threads, not across a fork.

    Args:
        address: ``host:port``.
        deadline_s: how long one call of a method may take, with all that it waits for.
        max_message_mb: largest message; at most what the server accepts.
        max_in_flight: requests under way at once, for what is in service and for each other label; more wait.
        route: which version answers, unless a call says otherwise.
        on_pair: is told what stable and canary say of the same windows; for ``Route.shadow``.
        retry: how often, and when, a request is sent again after UNAVAILABLE.
        breaker: when a server that does not answer is left alone, and for how long.

    Every method may raise:
        ModelServerUnavailableError: no server answers at the address; ``retry_after_s`` says when the client asks
            it again, if it has been left alone.
        ModelServerDeadlineError: it did not answer in time.
        ModelServerBusyError: too many requests are in flight already.
        ModelServerError: it refused the request, or answered nonsense.
    """

    def __init__(
        self,
        address: str,
        *,
        deadline_s: float = 10.0,
        max_message_mb: int = 64,
        max_in_flight: int = 16,
        route: Route | None = None,
        on_pair: PairObserver | None = None,
        retry: RetryPolicy | None = None,
        breaker: BreakerPolicy | None = None,
    ) -> None:
        load_tensorflow()  # the stubs import TensorFlow: quietly, please
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self._deadline_s = deadline_s
        self._retry = retry or RetryPolicy()
        max_message_bytes = max_message_mb << 20
        self._channel = open_channel(address, max_message_bytes)
        predict = prediction_service_pb2_grpc.PredictionServiceStub(self._channel).Predict
        get_status = model_service_pb2_grpc.ModelServiceStub(self._channel).GetModelStatus
        self._counts = Counts()
        self._calls = Calls(address, self._counts)
        self._lanes = Lanes(f"model server at {address}", max_in_flight, breaker or BreakerPolicy())
        self._labels = MissingLabels(lambda: self._counts["unavailable"])
        self._router = Router(self._labels, self._counts)
        self._questions = Questions(predict, self._calls, self._lanes, self._counts, max_message_bytes)
        self._availability = Availability(get_status, self._calls, address)
        self._descriptions = Descriptions()
        self._shadow = (
            None if on_pair is None else Shadow(self._ask_canary, on_pair, self._counts, max_message_bytes)
        )
        self._route = self._fit(route or Route.in_service())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def uses_keys(self) -> bool:
        """Whether ``predict`` looks at its ``key``, by the usual route: there is a share, or a shadow."""
        return self._shadow is not None or self._route.needs_key

    @property
    def counts(self) -> ClientCounts:
        """What the client has counted since it was made."""
        lanes = self._lanes.all()
        return self._counts.snapshot(
            breaker_opened=sum(lane.breaker.times_opened for lane in lanes),
            breaker_closed=sum(lane.breaker.times_closed for lane in lanes),
            in_flight=sum(lane.in_flight for lane in lanes),
            shadow_pending=0 if self._shadow is None else self._shadow.pending,
        )

    def breaker_state(self, label: str = STABLE) -> BreakerState:
        """Whether requests to what is in service pass, or those to another label."""
        return self._lanes.of(Target(label)).breaker.state

    def close(self) -> None:
        """End the connection; requests in flight are cancelled, the shadow drops what waits."""
        self._calls.close()
        self._channel.close()
        if self._shadow is not None:
            self._shadow.close()

    def describe(self, version: int | None = None) -> ModelDescription:
        """What a version says of itself.

        Args:
            version: the version, e.g. the generation of an answer: asked once and kept. By default the one in
                service, which is asked each time.
        """
        losses = self._counts["unavailable"]
        if version is not None and (known := self._descriptions.get(version, losses)) is not None:
            return known
        route = self._route if version is None else Route.version(version)
        if len(route.choices) > 1:  # a share: what is in service speaks for it
            route = Route.in_service()
        answered_by, description = self._router.first_that_is_there(
            route.targets(0.0),
            Deadline(self._deadline_s),
            lambda target, deadline: self._questions.describe(target, deadline, self._retry),
        )
        self._descriptions.put(answered_by, description, losses)
        return description

    def predict_windows(
        self, windows: Sequence[Window], *, key: Key | None = None, deadline_s: float | None = None
    ) -> Prediction:
        """Judge all channels of each window in turn; as ``predict``."""
        audio = np.concatenate([window.samples for window in windows])
        return self.predict(audio, key=key, deadline_s=deadline_s)

    def predict(
        self,
        audio: NDArray[np.float32],
        version: int | None = None,
        *,
        route: Route | None = None,
        key: Key | None = None,
        deadline_s: float | None = None,
    ) -> Prediction:
        """Judge windows; a batch larger than a message is split, and answered by one generation as a whole.

        Args:
            audio: float32 ``[batch, samples]`` in [-1, 1] at the model's rate.
            version: the version to ask, short for ``Route.version``.
            route: which version answers; the client's by default.
            key: what decides where a share goes, e.g. channel and start of the window; by default the samples of the
                first window do.
            deadline_s: how long this call may take; the client's by default.
        """
        batch = as_audio_batch(audio)
        if version is not None:
            route = Route.version(version)
        route = self._route if route is None else self._fit(route)
        point = 0.0
        if route.needs_key:
            point = point_of(batch[:1].tobytes() if key is None else key)
        began_s = time.monotonic()
        prediction = self._router.first_that_is_there(
            route.targets(point),
            Deadline(self._deadline_s if deadline_s is None else deadline_s),
            lambda target, deadline: self._questions.predict(batch, target, deadline, self._retry),
        )
        if self._shadow is not None and len(batch) and route.is_shadowed(point):
            if self._labels.should_ask(CANARY):
                self._shadow.submit(batch, prediction, time.monotonic() - began_s, key)
            else:
                self._counts.add("shadow_absent")
        return prediction

    def status(self) -> dict[int, str]:
        """State of each version that the server knows: START, LOADING, AVAILABLE, UNLOADING or END."""
        statuses = self._availability.statuses(self._deadline_s, self._retry)
        return {version: state for version, (state, _) in statuses.items()}

    def wait_until_available(self, version: int | None = None, timeout_s: float = 60.0) -> int:
        """Wait until ``version`` (or any version) answers, also for a server that is not up yet; returns it.

        Raises:
            ModelServerDeadlineError: it does not within ``timeout_s``; says what was last heard.
            ModelServerError: the server could not load ``version``.
        """
        return self._availability.wait(version, timeout_s, self._deadline_s, self._lanes.found_well)

    def _fit(self, route: Route) -> Route:
        if route.shadow_share > 0 and self._shadow is None:
            raise SettingsError("a route with a shadow needs someone who compares: give ModelClient on_pair")
        return route

    def _ask_canary(self, batch: NDArray[np.float32]) -> Prediction:
        return self._router.ask(
            Target(CANARY),
            Deadline(self._deadline_s),
            lambda target, deadline: self._questions.predict(batch, target, deadline, ONCE),
        )
