"""Load on a model server over bare TensorFlow Serving stubs, single windows, and how long the answers take.

The functions are tasks of ``ClientProcess``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import numpy as np

from serving.benchmarks.client_process import Stopping
from serving.benchmarks.random_versions import FloatArray, noise
from serving.signature import AUDIO_INPUT, MODEL_NAME
from serving.tensors import encode_content
from tidzam_platform.classifiers.backend import load_tensorflow

DEADLINE_S: Final = 10.0
_DIFFERENT: Final = 16  # windows that are sent in turn
_OPEN_CONNECTIONS: Final = 8


@dataclass(frozen=True)
class Load:
    """What clients saw: time of each answer, in ms; one that failed counts with the deadline.

    ``cpu_s`` is the processor time of their process.
    """

    latencies_ms: list[float]
    failed: int
    elapsed_s: float
    cpu_s: float

    @property
    def requests_per_s(self) -> float:
        """Answers, failures left out."""
        return (len(self.latencies_ms) - self.failed) / self.elapsed_s

    def percentile_ms(self, percent: float) -> float:
        """So many per cent of the answers took no longer."""
        return float(np.percentile(self.latencies_ms, percent))


def closed_loop(_stopping: Stopping, address: str, samples: int, clients: int, seconds: float) -> Load:
    """So many clients, each on a connection of its own, ask for ``seconds``, each again when it has its answer."""
    requests = [predict_request(window) for window in noise(_DIFFERENT, samples)]
    together = threading.Barrier(clients + 1)
    loads: list[tuple[list[float], int, float]] = []

    def ask(stub: Any, turn: int) -> None:
        latencies_ms, failed = [], 0
        together.wait()
        end_s = time.monotonic() + seconds
        while (began_s := time.monotonic()) < end_s:
            try:
                stub.Predict(requests[turn % _DIFFERENT], timeout=DEADLINE_S)
                latencies_ms.append((time.monotonic() - began_s) * 1e3)
            except grpc.RpcError:
                failed += 1
                latencies_ms.append(DEADLINE_S * 1e3)
            turn += 1
        loads.append((latencies_ms, failed, time.monotonic()))

    with connections(address, clients) as stubs:
        threads = [threading.Thread(target=ask, args=(stub, turn)) for turn, stub in enumerate(stubs)]
        for thread in threads:
            thread.start()
        together.wait()
        start_s, start_cpu_s = time.monotonic(), time.process_time()
        for thread in threads:
            thread.join()
    return Load(
        [latency for latencies, _, _ in loads for latency in latencies],
        sum(failed for _, failed, _ in loads),
        max(end_s for _, _, end_s in loads) - start_s,
        time.process_time() - start_cpu_s,
    )


def open_loop(_stopping: Stopping, address: str, samples: int, rate_hz: float, seconds: float) -> Load:
    """Requests that come at random (Poisson), ``rate_hz`` a second, whether or not those before are answered.

    A latency counts from the moment at which the request was due: a server that stalls, or a client that comes late
    because of it, finds no mercy (what Tene calls coordinated omission).
    """
    requests = [predict_request(window) for window in noise(_DIFFERENT, samples)]
    gaps_s = np.random.default_rng(1).exponential(1 / rate_hz, max(1, round(rate_hz * seconds)))
    latencies_ms: list[float] = []
    failed: list[str] = []
    answered = threading.Semaphore(0)

    def on_answer(call: Any, due_s: float) -> None:
        if call.code() is grpc.StatusCode.OK:
            latencies_ms.append((time.monotonic() - due_s) * 1e3)
        else:
            failed.append(call.code().name)
            latencies_ms.append(DEADLINE_S * 1e3)
        answered.release()

    with connections(address, _OPEN_CONNECTIONS) as stubs:
        start_s, start_cpu_s = time.monotonic(), time.process_time()
        for turn, due_s in enumerate(start_s + np.cumsum(gaps_s)):
            time.sleep(max(0.0, due_s - time.monotonic()))
            call = stubs[turn % len(stubs)].Predict.future(requests[turn % _DIFFERENT], timeout=DEADLINE_S)
            call.add_done_callback(lambda call, due_s=due_s: on_answer(call, due_s))
        for _ in gaps_s:
            answered.acquire()
    elapsed_s, cpu_s = time.monotonic() - start_s, time.process_time() - start_cpu_s
    return Load(latencies_ms, len(failed), elapsed_s, cpu_s)


def predict_request(window: FloatArray, label: str = "") -> Any:
    """A PredictRequest for one window, float32 ``[samples]``, for the version with a label or for the newest."""
    load_tensorflow()
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL_NAME
    if label:
        request.model_spec.version_label = label
    encode_content(window[np.newaxis], request.inputs[AUDIO_INPUT])
    return request


@contextmanager
def connections(address: str, number: int) -> Iterator[list[Any]]:
    """So many PredictionService stubs, each on a TCP connection of its own that is up."""
    load_tensorflow()
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    with ExitStack() as stack:
        stubs = []
        for _ in range(number):
            channel = stack.enter_context(open_channel(address))
            grpc.channel_ready_future(channel).result(DEADLINE_S)
            stubs.append(prediction_service_pb2_grpc.PredictionServiceStub(channel))
        yield stubs


def open_channel(address: str) -> Any:
    """A channel that shares no connection with another."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(address, options=options)
