"""Clients that ask all the while, and whether each answer came from a version that was AVAILABLE then."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import numpy as np

from serving.benchmarks.client_process import Stopping
from serving.benchmarks.load import DEADLINE_S, connections, open_channel, predict_request
from serving.benchmarks.random_versions import FloatArray
from serving.repository import STABLE
from serving.signature import MODEL_NAME, SCORES_OUTPUT
from serving.tensors import decode_tensor

TOLERANCE: Final = 1e-3  # of scores: batches of other sizes add in another order
_LOOK_S: Final = 0.01  # from one look at the versions' states to the next
_STOP_LOOK_S: Final = 0.1
_MAX_TENSOR_BYTES: Final = 1 << 20
_AVAILABLE: Final = "AVAILABLE"


@dataclass(frozen=True)
class Answer:
    """One request: when it was due, when it was sent and answered (monotonic seconds), and by which version.

    ``is_right`` says whether the scores are those of that version; ``failure`` why there is no answer, and then
    ``version`` is 0.
    """

    due_s: float
    sent_s: float
    answered_s: float
    version: int
    is_right: bool
    failure: str = ""


@dataclass(frozen=True)
class Look:
    """The versions that the server called AVAILABLE when it was asked between two moments."""

    began_s: float
    ended_s: float
    available: frozenset[int]


@dataclass(frozen=True)
class Traffic:
    """All that clients saw."""

    answers: list[Answer]
    looks: list[Look]
    failed_looks: int


def traffic(
    stopping: Stopping,
    address: str,
    windows: FloatArray,
    expected: Mapping[int, FloatArray],
    clients: int,
    rate_hz: float,
) -> Traffic:
    """Ask at ``rate_hz`` in all, from so many clients, until ``stopping``; a task of ``ClientProcess``.

    Every other client asks for the label ``stable``, the rest for no version, as any client of TensorFlow Serving
    may. Each has its own connection and its own times; one that is late sends at once. Nobody tries twice.

    Args:
        stopping: whether to come to an end.
        address: of the gRPC API.
        windows: float32 ``[windows, samples]``, sent one at a time, in turn.
        expected: their scores by version, float32 ``[windows, classes]``.
        clients: at least 1.
        rate_hz: requests a second, of all clients together.
    """
    answers: list[Answer] = []
    looks: list[Look] = []
    failed_looks: list[str] = []
    end = threading.Event()
    start_s = time.monotonic() + _STOP_LOOK_S

    def ask(client: int, stub: Any) -> None:
        label = STABLE if client % 2 else ""
        requests = [predict_request(window, label) for window in windows]
        turn = 0
        while not end.is_set():
            due_s = start_s + (turn * clients + client) / rate_hz
            if end.wait(max(0.0, due_s - time.monotonic())):
                return
            window = turn % len(requests)
            answers.append(
                _answer(stub, requests[window], due_s, {v: s[window] for v, s in expected.items()})
            )
            turn += 1

    def watch(stub: Any) -> None:
        while not end.wait(_LOOK_S):
            began_s = time.monotonic()
            try:
                available = frozenset(v for v, state in states(stub).items() if state == _AVAILABLE)
            except grpc.RpcError as error:
                failed_looks.append(error.code().name)
            else:
                looks.append(Look(began_s, time.monotonic(), available))

    with connections(address, clients) as stubs, open_channel(address) as channel:
        threads = [threading.Thread(target=ask, args=item) for item in enumerate(stubs)]
        threads.append(threading.Thread(target=watch, args=(model_stub(channel),)))
        for thread in threads:
            thread.start()
        while not stopping():
            time.sleep(_STOP_LOOK_S)
        end.set()
        for thread in threads:
            thread.join()
    return Traffic(answers, looks, len(failed_looks))


def from_unavailable(answers: Sequence[Answer], looks: Sequence[Look]) -> list[Answer]:
    """The answers whose version was AVAILABLE in no look from the last before it was sent to the first after it came.

    ``looks`` are in the order of time and do not overlap. A version becomes AVAILABLE and ceases to be once at a time,
    and not within a few milliseconds: if no such look shows it, it was not AVAILABLE in between either.
    """
    ends = [look.ended_s for look in looks]
    begins = [look.began_s for look in looks]
    strays = []
    for answer in answers:
        first = max(0, bisect_right(ends, answer.sent_s) - 1)
        last = bisect_left(begins, answer.answered_s)
        if not any(answer.version in look.available for look in looks[first : last + 1]):
            strays.append(answer)
    return strays


def states(stub: Any) -> dict[int, str]:
    """State by version, e.g. ``AVAILABLE``, as a ModelService stub tells it; raises grpc.RpcError."""
    from tensorflow_serving.apis import get_model_status_pb2

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = MODEL_NAME
    response = stub.GetModelStatus(request, timeout=DEADLINE_S)
    name = get_model_status_pb2.ModelVersionStatus.State.Name
    return {item.version: name(item.state) for item in response.model_version_status}


def model_stub(channel: Any) -> Any:
    """A ModelService stub."""
    from tensorflow_serving.apis import model_service_pb2_grpc

    return model_service_pb2_grpc.ModelServiceStub(channel)


def _answer(stub: Any, request: Any, due_s: float, expected: Mapping[int, FloatArray]) -> Answer:
    sent_s = time.monotonic()
    try:
        response = stub.Predict(request, timeout=DEADLINE_S)
    except grpc.RpcError as error:
        failure = f"{error.code().name}: {error.details()}"
        return Answer(due_s, sent_s, time.monotonic(), 0, is_right=False, failure=failure)
    answered_s, version = time.monotonic(), int(response.model_spec.version.value)
    scores = decode_tensor(response.outputs[SCORES_OUTPUT], _MAX_TENSOR_BYTES)
    is_right = version in expected and bool(np.allclose(scores[0], expected[version], atol=TOLERANCE))
    return Answer(due_s, sent_s, answered_s, version, is_right)
