"""POST /api/v1/detect: any common file, or samples, gives what is heard in it; nothing is left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.analysis import hear_file
from serving.client import ModelClient
from tests.audio.made import ENCODERS, encode, tones
from tests.serving.gateway.gateway_process import Answer, GatewayProcess
from tests.support.data import shared_data
from tests.support.model_server import ModelServerProcess
from tidzam_platform.detections.detection import is_detection
from tidzam_platform.settings import Settings

URL = "/api/v1/detect"


def in_parts(data: bytes, size: int = 5000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def assert_heard(answer: Answer, channels: int = 1, seconds: float | None = None) -> None:
    assert answer.status == 200, answer.body
    assert answer.body["generation"] == 3
    assert answer.body["channels"] == channels
    if seconds is not None:
        assert answer.body["seconds"] == pytest.approx(seconds, abs=0.1)
    assert answer.body["detections"]
    for one in answer.body["detections"]:
        assert 1 <= one["channel"] <= channels
        assert 0 <= one["start_s"] < one["end_s"] <= answer.body["seconds"] + 0.3
        assert one["class"] in ("birds", "birds-chiffchaff", "rain")
        assert 0 <= one["score"] <= 1


def test_the_answer_is_what_the_same_file_gives_on_the_command_line(
    gateway: GatewayProcess, model_server: tuple[ModelServerProcess, str], home: Settings, tone: Path
) -> None:
    with ModelClient(model_server[1]) as client:
        heard = hear_file(tone, client, home.decision)
    expected = [
        (event.channel, heard.seconds(event.start_frame), heard.seconds(event.end_frame), event.class_path)
        for event in heard.events
        if is_detection(event)
    ]
    answer = gateway.curl("-F", f"file=@{tone}", URL)
    assert_heard(answer, seconds=3.0)
    got = [(one["channel"], one["start_s"], one["end_s"], one["class"]) for one in answer.body["detections"]]
    assert got == expected


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_every_common_format_is_heard_on_all_its_channels(
    gateway: GatewayProcess, tmp_path: Path, kind: str
) -> None:
    file = encode(tones([700.0, 1500.0], 2.0), tmp_path / "any", kind)
    answer = gateway.curl("-F", f"sound=@{file}", URL)
    assert_heard(answer, channels=2, seconds=2.0)
    assert {one["channel"] for one in answer.body["detections"]} == {1, 2}


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "audio/wav", "text/plain"])
def test_a_body_that_is_the_file_is_taken_whatever_it_is_called(
    gateway: GatewayProcess, tone: Path, content_type: str | None
) -> None:
    headers = [] if content_type is None else ["-H", f"Content-Type: {content_type}"]
    assert_heard(gateway.curl(*headers, "--data-binary", f"@{tone}", URL), seconds=3.0)


def test_an_upload_in_chunks_is_heard(gateway: GatewayProcess, tone: Path) -> None:
    answer = gateway.request("POST", URL, in_parts(tone.read_bytes()), {"Content-Type": "audio/wav"})
    assert_heard(answer, seconds=3.0)
    assert_heard(gateway.curl("-H", "Transfer-Encoding: chunked", "-F", f"file=@{tone}", URL), seconds=3.0)


RAW = {
    "u8": ("u1", lambda x: x * 127 + 128),
    "s16le": ("<i2", lambda x: x * 32767),
    "s16be": (">i2", lambda x: x * 32767),
    "s32le": ("<i4", lambda x: x * (2**31 - 1)),
    "s32be": (">i4", lambda x: x * (2**31 - 1)),
    "f32le": ("<f4", lambda x: x),
    "f32be": (">f4", lambda x: x),
    "f64le": ("<f8", lambda x: x),
}


@pytest.mark.parametrize("name", sorted(RAW))
def test_samples_are_heard_as_the_same_samples_in_a_file(
    gateway: GatewayProcess, tone: Path, name: str
) -> None:
    kind, scale = RAW[name]
    samples = tones([700.0], 3.0, rate_hz=8000).astype(np.float64)
    body = scale(np.concatenate([samples, 0 * samples])).T.astype(kind).tobytes()
    answer = gateway.request("POST", f"{URL}?format={name}&rate_hz=8000&channels=2", body)
    assert_heard(answer, channels=2, seconds=3.0)
    of_file = gateway.curl("-F", f"file=@{tone}", URL).body["detections"]
    assert [
        (one["channel"], one["start_s"], one["end_s"], one["class"]) for one in answer.body["detections"]
    ] == [(1, one["start_s"], one["end_s"], one["class"]) for one in of_file]


def test_media_types_of_samples_say_rate_and_channels(gateway: GatewayProcess) -> None:
    body = (tones([700.0], 2.0, rate_hz=8000) * 32767).T.astype(">i2").tobytes()
    answer = gateway.request("POST", URL, body, {"Content-Type": "audio/L16; rate=8000; channels=1"})
    assert_heard(answer, seconds=2.0)


def test_silence_gives_an_empty_list(gateway: GatewayProcess, tmp_path: Path) -> None:
    file = encode(np.zeros((1, 48000), np.float32), tmp_path / "silence.flac", "flac")
    answer = gateway.curl("-F", f"file=@{file}", URL)
    assert answer.status == 200
    assert answer.body["detections"] == []


def test_nothing_of_an_upload_stays_on_the_disk(gateway: GatewayProcess, tone: Path) -> None:
    assert gateway.curl("-F", f"file=@{tone}", URL).status == 200
    assert gateway.curl("-d", "no audio", URL).status == 415
    assert gateway.spooled() == []


def messy_files() -> list[Path]:
    return sorted(path for path in shared_data("messy").iterdir() if path.suffix != ".csv")


def assert_all_heard(gateway: GatewayProcess, files: list[Path]) -> None:
    answers = {file.name: gateway.curl("-F", f"file=@{file}", URL) for file in files}
    assert {name: answer.body for name, answer in answers.items() if answer.status != 200} == {}
    silent = [name for name, answer in answers.items() if not answer.body["detections"]]
    assert len(silent) < len(files) / 2, "the tiny model answers with a class for most sounds"


def test_a_messy_file_of_each_codec_is_heard(gateway: GatewayProcess) -> None:
    by_codec = {re.split(r"-(?=[0-9])", file.stem)[1].partition("-")[2]: file for file in messy_files()}
    assert {"mp3", "pcm_alaw", "pcm_s16le", "pcm_u8", "vorbis"} <= set(by_codec)
    assert_all_heard(gateway, list(by_codec.values()))


@pytest.mark.long
def test_every_messy_file_is_heard(gateway: GatewayProcess) -> None:
    files = messy_files()
    assert len(files) == 77
    assert_all_heard(gateway, files)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("empty.opus", 400, "empty_audio"),
        ("header-only.opus", 400, "empty_audio"),
        ("not-audio.opus", 415, "unknown_format"),
        ("impoundment-2026-04-01-06-00-00.opus", 413, "too_large"),  # 30 channels, and 4 are allowed here
    ],
)
def test_files_that_cannot_be_heard_are_refused_with_a_reason(
    gateway: GatewayProcess, name: str, status: int, code: str
) -> None:
    answer = gateway.curl("-F", f"file=@{shared_data('edge', name)}", URL)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert len(answer.body["error"]) > 5
    assert "/" not in answer.body["error"], "it tells no path of this machine"


@pytest.mark.parametrize(
    ("name", "holes", "truncated"),
    [
        ("pages-removed.opus", [(59.0, 69.0)], False),
        ("byte-flipped.opus", [(89.0, 90.0)], False),
        ("truncated.opus", [], True),
    ],
)
def test_what_is_left_of_a_damaged_file_is_heard_and_what_is_missing_is_said(
    gateway: GatewayProcess, name: str, holes: list[tuple[float, float]], truncated: bool
) -> None:
    answer = gateway.curl("-F", f"file=@{shared_data('edge', name)}", URL)
    assert answer.status == 200, answer.body
    missing = [(hole["start_s"], hole["end_s"]) for hole in answer.body["holes"]]
    assert len(missing) == len(holes)
    assert np.allclose(missing, holes, atol=0.1)
    assert answer.body["truncated"] is truncated
    for one in answer.body["detections"]:
        assert not any(start < one["start_s"] and one["end_s"] < end for start, end in holes)
