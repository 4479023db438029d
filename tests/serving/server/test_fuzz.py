"""Whatever is sent: the process lives, its memory stays bounded, and each request gets an answer or a canonical error.

A few hundred requests every day; all 20,000 with ``./tidzam test --long``.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from serving.local import LocalModel
from tests.serving.server import fuzz_requests as fuzz
from tests.serving.server.bare_client import DEADLINE_S, predict_request
from tests.support.model_server import ModelServerProcess
from tests.support.tiny_model import WINDOW_FRAMES, some_audio

LIMIT_MB = 4
# 16 workers of each API with a few copies of a message; gRPC's and Python's own.
BOUND_MB = 300
CODE = grpc.StatusCode
REFUSALS = {
    CODE.INVALID_ARGUMENT,
    CODE.NOT_FOUND,
    CODE.FAILED_PRECONDITION,
    CODE.UNIMPLEMENTED,
}
HTTP_REFUSALS = {400, 403, 404, 405, 411, 413, 415, 417, 421, 431, 501}

# Five kinds of requests: 20,000 in all.
SOME = 60
some_and_all = pytest.mark.parametrize(
    "number", [pytest.param(SOME, id="some"), pytest.param(4000, id="all", marks=pytest.mark.long)]
)


class Server:
    """The real server in a process, and what is wanted of it whatever it was asked."""

    def __init__(self, process: ModelServerProcess, ready: dict[str, Any]) -> None:
        self._process = process
        self._rest = http.client.HTTPConnection(ready["rest_address"], timeout=DEADLINE_S)
        self.channel = grpc.insecure_channel(ready["address"], options=[("grpc.enable_http_proxy", 0)])

    def send(self, method: str, message: bytes) -> tuple[grpc.StatusCode, bytes | str]:
        """Send bytes; code, and the answer's bytes or the error's words."""
        try:
            return CODE.OK, self.channel.unary_unary(method)(message, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            return error.code(), error.details() or ""

    def send_http(self, request: fuzz.RestRequest) -> tuple[int, bytes]:
        """Send a request over a connection that is kept where the server keeps it; code and body."""
        try:
            self._rest.request(request.method, request.path, request.body, request.headers)
            response = self._rest.getresponse()
            return response.status, response.read()
        except (http.client.HTTPException, OSError):
            self._rest.close()
            raise

    @property
    def log(self) -> str:
        return self._process.stderr

    def memory_mb(self, field: str) -> float:
        """``VmRSS``, or ``VmHWM``, the most since ``forget_most``."""
        lines = (self._proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))

    def forget_most(self) -> None:
        """Begin anew to note the most memory (proc(5), clear_refs)."""
        (self._proc / "clear_refs").write_text("5")

    @property
    def _proc(self) -> Path:
        return Path("/proc") / str(self._process._process.pid)

    def close(self) -> None:
        self._rest.close()
        self.channel.close()


@pytest.fixture(scope="module")
def server(served_repository) -> Iterator[Server]:
    limit = {"TIDZAM_MODEL_SERVER__MAX_MESSAGE_MB": str(LIMIT_MB)}
    with ModelServerProcess(served_repository.base_path.parents[1], env=limit) as process:
        server = Server(process, process.wait_ready())
        yield server
        server.close()


@pytest.fixture(autouse=True)
def unharmed(server: Server, exported) -> Iterator[None]:
    """After each test: it lives, answers rightly, never used much more memory, and met no fault of its own."""
    right = some_audio(40)  # as large a batch as any
    _assert_answers(server, right, exported)
    before_mb = server.memory_mb("VmRSS")
    server.forget_most()
    yield
    _assert_answers(server, right[:2], exported)
    assert server.memory_mb("VmHWM") < before_mb + BOUND_MB
    for fault in ("a request failed", "a REST request failed", "looking at the model repository failed"):
        assert fault not in server.log


def _assert_answers(server: Server, audio: np.ndarray, exported: Callable[[int], Path]) -> None:
    from tensorflow_serving.apis import predict_pb2

    code, answer = server.send(fuzz.PREDICT, predict_request(audio).SerializeToString())
    assert code is CODE.OK, answer
    response = predict_pb2.PredictResponse.FromString(answer)
    with LocalModel(exported(3)) as local:
        expected = local.predict(audio).scores
    np.testing.assert_allclose(response.outputs["scores"].float_val, expected.ravel(), atol=1e-5)


def run(
    strategy: st.SearchStrategy[Any], number: int, send: Callable[[Any], object], codes_due: set[object]
) -> None:
    """Send so many different requests; of many, each of ``codes_due`` is the answer of one at least."""
    codes = Counter[object]()

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(request: Any) -> None:
        codes[send(request)] += 1

    one()
    assert codes.total() >= number, "hypothesis ran out of requests"
    assert codes.keys() >= codes_due if number > SOME else len(codes) > 1


def parses(method: str, message: bytes) -> bool:
    """Whether ``message`` is a request of ``method`` at all."""
    from google.protobuf.message import DecodeError
    from grpc_health.v1 import health_pb2
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        model_management_pb2,
        predict_pb2,
        regression_pb2,
    )

    kinds = {
        "Predict": predict_pb2.PredictRequest,
        "Classify": classification_pb2.ClassificationRequest,
        "Regress": regression_pb2.RegressionRequest,
        "MultiInference": inference_pb2.MultiInferenceRequest,
        "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
        "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
        "HandleReloadConfigRequest": model_management_pb2.ReloadConfigRequest,
        "Check": health_pb2.HealthCheckRequest,
    }
    try:
        kind = kinds.get(method.rpartition("/")[2])
        if kind is not None:
            kind.FromString(message)
    except DecodeError:
        return False
    return True


def send_grpc(server: Server) -> Callable[[tuple[str, bytes]], grpc.StatusCode]:
    def send(request: tuple[str, bytes]) -> grpc.StatusCode:
        method, message = request
        code, answer = server.send(method, message)
        if code is CODE.OK:
            if method == fuzz.PREDICT:
                assert_finite(answer)
        elif code is CODE.INTERNAL:
            # What gRPC itself says, in every language, of bytes that are no message.
            assert not parses(method, message), answer
        elif code is CODE.RESOURCE_EXHAUSTED:
            assert len(message) > LIMIT_MB << 20, answer
        else:
            assert code in REFUSALS, (code, answer)
            assert answer, f"{code} without a word"
        return code

    return send


def assert_finite(answer: bytes) -> None:
    from tensorflow_serving.apis import predict_pb2

    for tensor in predict_pb2.PredictResponse.FromString(answer).outputs.values():
        assert np.isfinite(tensor.float_val).all()


@some_and_all
def test_bytes_that_are_no_message(server: Server, number: int) -> None:
    codes = {CODE.INTERNAL, CODE.INVALID_ARGUMENT, CODE.UNIMPLEMENTED}
    run(fuzz.raw_messages(), number, send_grpc(server), codes)


@some_and_all
def test_right_messages_with_bytes_changed(server: Server, number: int) -> None:
    codes = {CODE.OK, CODE.INTERNAL, CODE.INVALID_ARGUMENT, CODE.UNIMPLEMENTED}
    run(fuzz.spoilt_messages(), number, send_grpc(server), codes)


@some_and_all
def test_wrong_names_types_shapes_and_numbers_of_values(server: Server, number: int) -> None:
    codes = {CODE.INVALID_ARGUMENT, CODE.NOT_FOUND, CODE.FAILED_PRECONDITION}
    run(fuzz.odd_protos(), number, send_grpc(server), codes)


@some_and_all
def test_any_numbers_as_audio(server: Server, number: int) -> None:
    run(fuzz.odd_audio(), number, send_grpc(server), {CODE.OK, CODE.INVALID_ARGUMENT})


@some_and_all
def test_deep_odd_and_broken_json(server: Server, number: int) -> None:
    def send(request: fuzz.RestRequest) -> int:
        code, body = server.send_http(request)
        if request.method == "HEAD":
            assert body == b""
        elif code != 200:
            assert code in HTTP_REFUSALS, (code, body[:300])
            assert json.loads(body).keys() == {"error"}
        return code

    run(fuzz.rest_requests(), number, send, {200, 400, 403, 404})


@pytest.mark.parametrize("letter", ["x", "%", "\n", "\0", "é", "😀"])
def test_an_error_that_quotes_what_was_sent_fits_into_a_trailer(server: Server, letter: str) -> None:
    # Clients take 8 KiB of trailers; beyond that they hear of nothing but that.
    message = predict_request(name=letter * 10_000).SerializeToString()
    code, words = server.send(fuzz.PREDICT, message)
    assert code is CODE.NOT_FOUND
    assert f"Latest({letter * 100}" in words


def huge_requests() -> Iterator[bytes]:
    """As large as may be and larger, right and wrong, and small ones that claim terabytes."""
    rows = (LIMIT_MB << 20) // (4 * WINDOW_FRAMES)
    for audio in (
        np.zeros((rows - 1, WINDOW_FRAMES), np.float32),
        np.full((rows - 1, WINDOW_FRAMES), np.nan, np.float32),
        np.zeros((rows // 2 - 1, WINDOW_FRAMES), np.float64),
        np.zeros((rows * 4, WINDOW_FRAMES), np.float32),
    ):
        yield predict_request(audio).SerializeToString()
    for shape in ((1 << 40, WINDOW_FRAMES), (1 << 62, 1 << 62), (1, WINDOW_FRAMES) * 100):
        claim = predict_request(some_audio(1))
        tensor = claim.inputs["audio"]
        tensor.ClearField("tensor_shape")
        for size in shape:
            tensor.tensor_shape.dim.add(size=size)
        yield claim.SerializeToString()
        tensor.tensor_content = b""
        tensor.float_val.append(0.5)
        yield claim.SerializeToString()
    words = predict_request()
    words.inputs["audio"].dtype = 7
    words.inputs["audio"].string_val.extend([b"x"] * 500_000)
    yield words.SerializeToString()


def test_many_huge_requests_at_once(server: Server) -> None:
    requests = list(huge_requests())
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda message: server.send(fuzz.PREDICT, message), requests * 4))
    codes = [code for code, _ in answers]
    # The largest that is allowed is answered, unless too much waits already.
    assert codes[0] in (CODE.OK, CODE.UNAVAILABLE)
    assert CODE.OK in codes
    assert set(codes) <= {CODE.OK, CODE.UNAVAILABLE, CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED}
    assert set(codes[1 : len(requests)]) == {CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED}


@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 70_000], ids=len)
def test_a_client_that_asks_first_and_then_does_not_wait_is_answered(server: Server, body: bytes) -> None:
    # RFC 9110, 10.1.1: the body may come with the headers, and a request without one should not ask.
    request = fuzz.RestRequest("POST", "/v1/models/tidzam:predict", body, {"Expect": "100-continue"})
    for _ in range(3):  # on one connection
        code, answer = server.send_http(request)
        assert code == 400, answer


def test_a_refused_head_leaves_the_connection_in_order(server: Server) -> None:
    for headers in ({"Host": "elsewhere.example"}, {}):
        for path in ("/v1/models/tidzam", "/elsewhere"):
            assert server.send_http(fuzz.RestRequest("HEAD", path, b"", headers))[1] == b""
            code, answer = server.send_http(fuzz.RestRequest("GET", "/v1/models/tidzam", b"", {}))
            assert code == 200
            assert b"AVAILABLE" in answer


def test_deep_json_of_megabytes(server: Server) -> None:
    size = (LIMIT_MB << 20) - 1000
    pieces = (b"[", b'{"a":', b"[[],", b'{"instances":', b"1,", b'"', b"[0,", b"\\", b"-", b" ")
    for piece in pieces:
        for start in (b"", b'{"instances":[', b'{"inputs":'):
            body = start + piece * (size // len(piece))
            code, answer = server.send_http(fuzz.RestRequest("POST", "/v1/models/tidzam:predict", body, {}))
            assert code in (400, 413), answer[:200]
            assert json.loads(answer)["error"]
