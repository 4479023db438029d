"""Requests that make no sense are refused as what they are, whatever bytes they hold."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.gateway import create_gateway_app
from serving.gateway.hearing import GatewayCore
from serving.gateway.raw_audio import FORMATS, raw_audio_of
from serving.gateway.refusals import HttpRefusalError
from tidzam_platform.settings import GatewaySettings, Settings

URL = "/api/v1/detect"
FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


@pytest.fixture
def app(alone: Settings) -> Iterator[Flask]:
    """A gateway without a model server: what is refused never gets so far."""
    settings = alone.model_copy(update={"gateway": GatewaySettings(max_upload_mb=1)})
    core = GatewayCore(settings)
    yield create_gateway_app(settings, core=core)
    core.close()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", None, 400),
        (b"no audio", None, 415),
        (b"", FORM, 400),
        (b"no form", FORM, 400),
        (PART + b"cut short", FORM, 400),
        (PART + b"\r\n--x--\r\n", FORM, 400),  # an empty file
        (PART + b"no audio\r\n--x--\r\n", FORM, 415),
        (PART + b"one\r\n" + PART + b"two\r\n--x--\r\n", FORM, 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nno file\r\n--x--\r\n', FORM, 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 400_000 + b"\r\n--x--\r\n",
            FORM,
            413,
        ),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 50 + b"--x--\r\n", FORM, 413),
        (b"x" * 400_000, FORM, 413),  # a boundary never comes
        (PART + b"no audio\r\n--x--\r\n", "multipart/form-data", 400),
        (PART + b"no audio\r\n--x--\r\n", "multipart/form-data; boundary=é", 400),
    ],
)
def test_wrong_bodies_are_refused(app: Flask, body: bytes, content_type: str | None, status: int) -> None:
    answer = app.test_client().post(URL, data=body, content_type=content_type)
    assert answer.status_code == status, answer.text
    assert answer.json["error"]
    assert answer.json["code"]


def test_compressed_bodies_are_refused(app: Flask) -> None:
    assert app.test_client().post(URL, data=b"x", headers={"Content-Encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize(
    "query",
    [
        "rate_hz=8000", "channels=2", "format=s16le", "format=mp3&rate_hz=8000", "format=s16le&rate_hz=0",
        "format=s16le&rate_hz=-8000", "format=s16le&rate_hz=8e3", "format=s16le&rate_hz=999999999999",
        "format=s16le&rate_hz=8000&channels=0", "format=s16le&rate_hz=8000&channels=256", "file=/etc/passwd",
        "url=http://example.org/a.wav", "format=s16le&rate_hz=8000&channels=٣",
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(app: Flask, query: str) -> None:
    answer = app.test_client().post(f"{URL}?{query}", data=bytes(1000))
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")


def test_half_a_frame_shows_that_the_parameters_are_wrong(app: Flask) -> None:
    answer = app.test_client().post(f"{URL}?format=s16le&rate_hz=8000&channels=2", data=bytes(1002))
    assert answer.status_code == 400
    assert "4 bytes" in answer.json["error"]


def test_a_playlist_opens_nothing(app: Flask, tmp_path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"RIFF")
    for text in (
        f"#EXTM3U\n#EXTINF:1,\nfile:{secret}\n",
        f"ffconcat version 1.0\nfile {secret}\n",
        f"file:{secret}",
    ):
        answer = app.test_client().post(URL, data={"file": (io.BytesIO(text.encode()), str(secret))})
        assert answer.status_code == 415


def test_the_name_that_a_sender_gives_is_not_used(app: Flask, home: Settings) -> None:
    for name in ("../../secrets/own_token", "/etc/passwd", "a" * 300, "\x00", "-i"):
        answer = app.test_client().post(URL, data={"file": (io.BytesIO(b"no audio"), name)})
        assert answer.status_code == 415
    assert [path.name for path in (home.home / "spool" / "gateway").rglob("*") if path.is_file()] == []


def test_other_paths_and_methods_are_refused_as_json(app: Flask) -> None:
    client = app.test_client()
    for path in ("/api/v1/nothing", "/api/v1/", "/nosuch"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        assert (
            answer.json["error"] == "there is nothing at this address; /api/v1/docs lists all that there is"
        )
    answer = client.get(URL)
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    assert "possible are OPTIONS, POST" in answer.json["error"]


def test_without_a_model_server_it_says_so_and_when_to_come_again(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/ready")
    assert (answer.status_code, answer.json["code"]) == (503, "model_server_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300) | st.binary(max_size=100).map(lambda rest: PART + rest + b"\r\n--x--\r\n"),
    content_type=st.sampled_from(
        [None, FORM, "audio/wav", "audio/L16; rate=8000", "multipart/form-data", "a/b;c"]
    ),
    query=st.sampled_from(["", "format=s16le&rate_hz=8000", "format=f32le"]) | st.text(max_size=20),
)
def test_any_bytes_give_a_refusal_with_a_reason(
    app: Flask, body: bytes, content_type: str | None, query: str
) -> None:
    from werkzeug.test import EnvironBuilder

    builder = EnvironBuilder(
        path=URL, query_string={"format": query} if "=" not in query else query, method="POST"
    )
    builder.input_stream = io.BytesIO(body)
    builder.content_length = len(body)
    builder.content_type = content_type
    answer = app.test_client().open(builder)
    # 503: samples may be anything, and there is no model server.
    assert answer.status_code in (400, 413, 415, 422, 503), answer.text
    assert answer.json["error"]


@given(st.sampled_from(sorted(FORMATS)), st.integers(1, 768_000), st.integers(1, 255), st.integers(0, 1000))
def test_a_header_of_samples_is_as_long_as_it_says(
    name: str, rate_hz: int, channels: int, frames: int
) -> None:
    raw = raw_audio_of({"format": name, "rate_hz": str(rate_hz), "channels": str(channels)}, "", {})
    assert raw is not None
    assert len(raw.header(frames * raw.frame_bytes)) == raw.header_bytes
    if raw.frame_bytes > 1:
        with pytest.raises(HttpRefusalError):
            raw.header(frames * raw.frame_bytes + 1)
