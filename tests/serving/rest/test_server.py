"""The HTTP server: limits, slow and broken clients, the Host header, starting and stopping."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import subprocess
import threading
import zlib
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
import pytest

from serving.server.rest import RestServer, make_rest_app
from serving.server.rest.hosts import is_own_host
from tests.serving.rest.http_client import RestClient
from tests.support.parts import require_part
from tests.support.tiny_model import some_audio
from tidzam_platform.errors import ProcessError

MODEL = "/v1/models/tidzam"
MAX_BODY_BYTES = 300_000


@pytest.fixture(scope="module")
def small(served):
    """A server of its own over the same model, with small limits."""
    app = make_rest_app(served.requests, served.metrics)
    server = RestServer(
        app, host="127.0.0.1", port=0, max_body_bytes=MAX_BODY_BYTES, receive_s=1.0, idle_s=1.0
    )
    server.start()
    yield RestClient(server.address)
    assert server.stop(10)


def error_of(received: bytes) -> tuple[int, str]:
    """Code and message of the first answer in bytes as they came."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    return int(head.split()[1]), json.loads(body[: body.index(b"}") + 1])["error"]


def post(body: bytes, *headers: str, path: str = f"{MODEL}:predict") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode() + body


def test_curl_is_answered(rest, tmp_path):
    program = require_part("curl")

    def curl(*arguments: str) -> tuple[str, str]:
        """The body and the code of the answer."""
        run = subprocess.run(
            [program, "--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code}", *arguments],
            capture_output=True, check=True, text=True, timeout=30,
        )  # fmt: skip
        body, _, code = run.stdout.rpartition("\n")
        return body, code

    url = f"http://{rest.address}{MODEL}"
    # More than 1 MiB, which curl sends only after the server has said that it may come (Expect: 100-continue).
    audio = some_audio(40)
    file = tmp_path / "windows.json"
    file.write_text(json.dumps({"instances": audio.tolist()}))
    assert file.stat().st_size > 1 << 20
    body, code = curl("--data", f"@{file}", f"{url}:predict")
    assert code == "200"
    assert len(json.loads(body)["predictions"]) == 40
    body, code = curl(url)
    assert (json.loads(body)["model_version_status"][0]["state"], code) == ("AVAILABLE", "200")
    body, code = curl("--data", '{"instances": [1.0, 5.0]}', f"http://{rest.address}/v1/models/half:predict")
    assert (json.loads(body), code) == ({"error": "Servable not found for request: Latest(half)"}, "404")
    body, code = curl("--data", "[", f"{url}:predict")
    assert (list(json.loads(body)), code) == (["error"], "400")


def test_many_clients_are_answered_at_once(rest):
    rows = some_audio(8)

    def ask(row: int) -> dict:
        return rest("POST", f"{MODEL}:predict", {"instances": [rows[row].tolist()]}).json["predictions"][0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [*range(8)] * 3))
    for position, answer in enumerate(answers):
        assert answer["level_dbfs"] == pytest.approx(answers[position % 8]["level_dbfs"], abs=1e-4)
    assert len({round(answer["level_dbfs"], 2) for answer in answers}) == 8


def test_a_connection_serves_many_requests(rest):
    request = f"GET {MODEL} HTTP/1.1\r\nHost: localhost\r\n"
    received = rest.raw(f"{request}\r\n{request}Connection: close\r\n\r\n".encode())
    assert received.count(b"HTTP/1.1 200 OK") == 2


# util/net_http/server/internal/evhttp_request.cc ReadRequestGzipBytes: Content-Encoding: gzip
def test_gzip_is_unpacked(small):
    text = json.dumps({"signature_name": "describe", "inputs": [7]}).encode()
    answer = small("POST", f"{MODEL}:predict", gzip.compress(text), Content_Encoding="gzip")
    assert answer.code == 200
    assert '"generation": 3' in answer.json["outputs"][0]


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (b"{}", "gzip", "the body is no gzip"),
        (gzip.compress(b"{}")[:-5], "gzip", "the body is not one whole gzip member"),
        (gzip.compress(b"{}") + b"more", "gzip", "the body is not one whole gzip member"),
        (zlib.compress(b"{}"), "deflate", "Content-Encoding 'deflate' is not known"),
    ],
    ids=["text", "cut", "more behind", "deflate"],
)
def test_what_cannot_be_unpacked_is_refused(small, body, encoding, words):
    answer = small("POST", f"{MODEL}:predict", body, Content_Encoding=encoding)
    assert answer.code == 400
    assert answer.error.startswith(words)


def test_a_gzip_bomb_is_refused(small):
    bomb = gzip.compress(b" " * (20 * MAX_BODY_BYTES))
    assert len(bomb) < MAX_BODY_BYTES
    answer = small("POST", f"{MODEL}:predict", bomb, Content_Encoding="gzip")
    assert answer.code == 413
    assert f"at most {MAX_BODY_BYTES} bytes" in answer.error


def test_a_body_of_the_largest_size_is_read(small):
    text = json.dumps({"signature_name": "describe", "inputs": [7]})
    assert small("POST", f"{MODEL}:predict", text.ljust(MAX_BODY_BYTES)).code == 200


def test_a_body_that_is_too_large_is_refused_when_it_has_been_sent(small):
    answer = small("POST", f"{MODEL}:predict", b" " * (20 * MAX_BODY_BYTES))
    assert answer.code == 413
    assert answer.error.startswith("Request Entity Too Large")


def test_a_body_that_is_too_large_is_refused_before_it_is_sent_to_who_asks(small):
    size = 20 * MAX_BODY_BYTES
    received = small.raw(post(b"", f"Content-Length: {size}", "Expect: 100-continue"))
    assert error_of(received)[0] == 413
    assert b"100 Continue" not in received


@pytest.mark.parametrize("ends", [True, False])
def test_chunks_that_are_too_large_together_are_refused(small, ends):
    chunk = b"%x\r\n%s\r\n" % (MAX_BODY_BYTES, b" " * MAX_BODY_BYTES)
    rest = chunk + b"0\r\n\r\n" if ends else chunk[:100]
    received = small.raw(post(chunk + rest, "Transfer-Encoding: chunked"))
    assert error_of(received)[0] == 413


def test_chunks_are_put_together(small):
    text = b'{"signature_name": "describe", "inputs": [7]}'
    chunks = b"5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (text[:5], len(text) - 5, text[5:])
    received = small.raw(post(chunks, "Transfer-Encoding: chunked", "Connection: close"))
    assert received.startswith(b"HTTP/1.1 200 OK")


def test_headers_that_are_too_large_are_refused(small):
    assert error_of(small.raw(post(b"", "X-More: ").strip().ljust(64 << 10, b"x")))[0] == 431


@pytest.mark.parametrize("length", ["-1", "3.5", "many", "1, 1"])
def test_a_content_length_that_is_no_number_is_refused(small, length):
    assert error_of(small.raw(post(b"{}", f"Content-Length: {length}"))) == (
        400,
        "Bad Request: Content-Length is invalid",
    )


def test_a_content_length_that_is_too_small_cuts_the_json(small):
    received = small.raw(post(b'{"inputs": [1]}', "Content-Length: 5"))
    code, message = error_of(received)
    assert code == 400
    assert message.startswith("JSON Parse error: ")
    assert received.count(b"HTTP/1.") == 2  # the rest is taken for another request, and refused as one


def test_a_request_that_does_not_arrive_is_given_up(small):
    code, message = error_of(small.raw(post(b"{}", "Content-Length: 100")))
    assert code == 408
    assert "did not arrive within 1 s" in message


def test_a_request_that_arrives_byte_by_byte_is_given_up(small):
    host, _, port = small.address.rpartition(":")
    stop = threading.Event()
    with socket.create_connection((host, int(port)), timeout=20) as connection:

        def dribble() -> None:
            for byte in post(b"", *["X-Slow: " + "x" * 1000] * 20):
                if stop.wait(0.05):
                    return
                try:
                    connection.send(bytes([byte]))
                except OSError:
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        received = connection.recv(4096)
        stop.set()
        thread.join()
    assert received.startswith(b"HTTP/1.0 408 Request Timeout")


def test_an_idle_connection_is_closed(small):
    assert small.raw(f"GET {MODEL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_harms_nobody(small):
    assert small.raw(post(b"{}", "Content-Length: 100"), end=True) == b""
    assert small("GET", MODEL).code == 200


def test_wrong_lines_are_refused(small):
    for sent in (b"hello\r\n\r\n", b"get / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n"):
        assert error_of(small.raw(sent))[0] == 400


def test_a_fault_of_ours_is_told_as_internal_and_logged(served, monkeypatch, caplog):
    def fail(_request, _timeout_s):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(served.requests, "predict", fail)
    client = make_rest_app(served.requests, served.metrics).test_client()
    with caplog.at_level(logging.ERROR):
        answer = client.post(f"{MODEL}:predict", json={"signature_name": "describe", "inputs": [1]})
    assert answer.status_code == 500
    assert answer.json == {"error": "the server failed on this request; its log says why"}
    assert "ZeroDivisionError: secret" in caplog.text


def test_a_request_has_the_time_that_the_application_gives_it(served):
    app = make_rest_app(served.requests, served.metrics, timeout_s=0)
    answer = app.test_client().post(f"{MODEL}:predict", json={"signature_name": "describe", "inputs": [1]})
    assert answer.status_code == 504
    assert answer.json == {"error": "the deadline passed before the request ran"}


def test_every_canonical_code_has_its_http_code():
    # tensorflow/serving model_servers/http_server.cc ToHTTPStatusCode
    from serving.server.rest.statuses import HTTP_CODES

    assert {code.name: number for code, number in HTTP_CODES.items()} == {
        "OK": 200, "CANCELLED": 499, "UNKNOWN": 500, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504,
        "NOT_FOUND": 404, "ALREADY_EXISTS": 409, "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429,
        "FAILED_PRECONDITION": 400, "ABORTED": 409, "OUT_OF_RANGE": 400, "UNIMPLEMENTED": 501, "INTERNAL": 500,
        "UNAVAILABLE": 503, "DATA_LOSS": 500, "UNAUTHENTICATED": 401,
    }  # fmt: skip
    assert set(HTTP_CODES) == set(grpc.StatusCode)


@pytest.mark.parametrize(
    "header",
    ["", "localhost", "LOCALHOST:8501", "127.0.0.1:8501", "[::1]:8501", "192.168.1.5", "tidzam.localhost:80"],
)
def test_names_of_loopback_are_ours(header):
    assert is_own_host(header)


@pytest.mark.parametrize(
    "header",
    [
        "evil.example",
        "evil.example:8501",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::1].evil.example:1",
    ],
)
def test_other_names_are_not_ours(header):
    assert not is_own_host(header)


def test_on_loopback_a_page_of_another_name_is_refused(rest):
    answer = rest("GET", MODEL, Host="evil.example")
    assert answer.code == 403
    assert "evil.example" in answer.error
    assert rest("GET", MODEL, Host="localhost:1234").code == 200


def test_elsewhere_any_name_will_do(served):
    app = make_rest_app(served.requests, served.metrics)
    server = RestServer(app, host="0.0.0.0", port=0, max_body_bytes=1000)  # noqa: S104
    port = server.start()
    try:
        assert RestClient(f"127.0.0.1:{port}")("GET", MODEL, Host="tidzam.example").code == 200
    finally:
        assert server.stop(10)


def test_a_port_in_use_is_told(served):
    app = make_rest_app(served.requests, served.metrics)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = RestServer(app, host="127.0.0.1", port=taken.getsockname()[1], max_body_bytes=1000)
        with pytest.raises(
            ProcessError, match=r"REST API cannot listen on 127\.0\.0\.1:\d+: Address already in use"
        ):
            server.start()
        assert server.stop(1)


def test_an_address_of_another_machine_is_told(served):
    app = make_rest_app(served.requests, served.metrics)
    server = RestServer(app, host="192.0.2.1", port=0, max_body_bytes=1000)
    with pytest.raises(ProcessError, match=r"cannot listen on 192\.0\.2\.1:0"):
        server.start()


def is_refused(client: RestClient, stopped: Future) -> bool:
    """Whether a connection is refused before ``stopped`` is done."""
    while not stopped.done():
        try:
            client("GET", MODEL)
        except OSError:
            return not stopped.done()
    return False


def test_stopping_waits_for_what_is_being_answered_and_leaves_nothing(served, monkeypatch):
    entered, leave = threading.Event(), threading.Event()
    predict = served.requests.predict

    def slow(request, timeout_s):
        entered.set()
        assert leave.wait(20)
        return predict(request, timeout_s)

    monkeypatch.setattr(served.requests, "predict", slow)
    threads = set(threading.enumerate())
    server = RestServer(
        make_rest_app(served.requests, served.metrics), host="127.0.0.1", port=0, max_body_bytes=100_000
    )
    server.start()
    client = RestClient(server.address)
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(
            client, "POST", f"{MODEL}:predict", {"signature_name": "describe", "inputs": [1]}
        )
        assert entered.wait(20)
        stopped = pool.submit(server.stop, 20)
        assert is_refused(client, stopped)
        leave.set()
        assert answer.result().code == 200
        assert stopped.result()
    assert set(threading.enumerate()) <= threads
    with pytest.raises(ConnectionRefusedError):
        client("GET", MODEL)
