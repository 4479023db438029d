"""No upload takes more than its share: bytes, seconds, channels, memory, time, places."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flask import Flask

from serving.gateway import create_gateway_app
from serving.gateway.deadline import Deadline
from serving.gateway.hearing import GatewayCore
from serving.gateway.refusals import HttpRefusalError
from tests.audio.made import encode, tones
from tests.serving.gateway.gateway_process import Answer, GatewayProcess
from tests.serving.gateway.made_uploads import DAY_S, many_times, wav, with_length
from tests.support.waiting import wait_for
from tidzam_platform.errors import AudioError
from tidzam_platform.settings import GatewaySettings, Settings

URL = "/api/v1/detect"
MB = 1 << 20
MAX_MEMORY_BYTES = 256 * MB


def assert_refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body["code"]) == (status, code), answer.body
    assert len(answer.body["error"]) > 5


@pytest.mark.parametrize(
    "stated", [DAY_S * 8000, 0, 8000], ids=["the header says so", "it says nothing", "it says one second"]
)
def test_a_day_of_silence_in_a_small_file_is_refused_in_little_memory(
    gateway: GatewayProcess, tmp_path: Path, day: bytes, stated: int
) -> None:
    bomb = tmp_path / "bomb.flac"
    bomb.write_bytes(with_length(day, stated))
    before = gateway.forget_peak()
    assert_refused(gateway.curl("-F", f"file=@{bomb}", URL), 413, "too_large")
    assert gateway.memory("VmHWM") - before < MAX_MEMORY_BYTES // 8


def test_a_fresh_gateway_refuses_it_below_the_bound_with_all_that_it_has_loaded(
    tmp_path: Path, day: bytes
) -> None:
    with GatewayProcess(tmp_path / "home", "127.0.0.1:1") as fresh:
        assert_refused(fresh.request("POST", URL, with_length(day, 0)), 413, "too_large")
        assert fresh.memory("VmHWM") < MAX_MEMORY_BYTES


@pytest.mark.parametrize("kind", ["opus", "mp3", "mp4", "wav"])
def test_too_many_seconds_are_refused_in_every_format(
    gateway: GatewayProcess, tmp_path: Path, kind: str
) -> None:
    if kind == "wav":
        file = wav(tmp_path / "long", seconds=302)
    else:
        file = encode(np.zeros((1, 302 * 8000), np.float32), tmp_path / "long", kind, rate_hz=8000)
    assert_refused(gateway.curl("-F", f"file=@{file}", URL), 413, "too_large")


def test_too_many_channels_are_refused(gateway: GatewayProcess, tmp_path: Path) -> None:
    assert gateway.curl("-F", f"file=@{wav(tmp_path / 'four', channels=4)}", URL).status == 200
    assert_refused(gateway.curl("-F", f"file=@{wav(tmp_path / 'five', channels=5)}", URL), 413, "too_large")
    many = encode(tones([400.0] * 5, 1.0), tmp_path / "five.opus", "opus")
    assert_refused(gateway.curl("-F", f"file=@{many}", URL), 413, "too_large")


def test_a_rate_whose_resampling_would_take_gigabytes_is_refused(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    file = wav(tmp_path / "fast.wav", stated_rate_hz=4_000_000_000)
    assert_refused(gateway.curl("-F", f"file=@{file}", URL), 422, "damaged_audio")


@pytest.mark.parametrize("over_bytes", [1000, MB, 20 * MB], ids=["just", "a little", "far"])
@pytest.mark.parametrize("how", ["announced", "without Expect", "in chunks"])
def test_too_many_bytes_are_refused_and_the_sender_learns_why(
    gateway: GatewayProcess, tmp_path: Path, over_bytes: int, how: str
) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(8 * MB + over_bytes))
    headers = {
        "announced": [],
        "without Expect": ["-H", "Expect:"],
        "in chunks": ["-H", "Transfer-Encoding: chunked"],
    }
    answer = gateway.curl(*headers[how], "-X", "POST", "-T", file, URL)
    assert_refused(answer, 413, "too_large")
    assert gateway.spooled() == []


def small_gateway(alone: Settings, deadline_s: float) -> Iterator[Flask]:
    limits = GatewaySettings(deadline_s=deadline_s, max_concurrent=1, max_audio_s=1e8, max_upload_mb=8)
    settings = alone.model_copy(update={"gateway": limits})
    core = GatewayCore(settings)
    yield create_gateway_app(settings, core=core)
    core.close()


@pytest.fixture
def small(alone: Settings) -> Iterator[Flask]:
    """A gateway in this process that has no model server, time enough for an upload and one place."""
    yield from small_gateway(alone, deadline_s=60)


@pytest.fixture
def hurried(alone: Settings) -> Iterator[Flask]:
    """The same with half a second for an upload."""
    yield from small_gateway(alone, deadline_s=0.5)


def test_what_keeps_a_decoder_busy_ends_with_the_deadline(hurried: Flask, day: bytes) -> None:
    """A month: to its end it would be decoded for minutes."""
    answer = hurried.test_client().post(URL, data=many_times(day, 30))
    assert (answer.status_code, answer.json["code"]) == (504, "deadline")


def test_no_upload_waits_for_a_place(small: Flask, tmp_path: Path) -> None:
    core = small.extensions["tidzam_gateway"]
    with core.slots.take():
        for path in (URL, "/detect/binary"):
            answer = small.test_client().post(path, data=b"anything")
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1
    assert small.test_client().post(URL, data=b"anything").status_code == 415, "the place is free again"


def test_a_place_is_free_again_after_every_kind_of_end(small: Flask, tmp_path: Path) -> None:
    client = small.test_client()
    for body, code in (
        (b"", "empty_audio"),
        (b"no audio", "unknown_format"),
        (wav(tmp_path / "one.wav").read_bytes(), "model_server_unavailable"),
        (b"no audio", "unknown_format"),
    ):
        assert client.post(URL, data=body).json["code"] == code


def test_a_full_disk_is_said_and_nothing_stays(small: Flask, alone: Settings) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # the kernel refuses to write more
    try:
        answer = small.test_client().post(URL, data=bytes(MB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.status_code, answer.json["code"]) == (507, "no_space")
    assert str(alone.home) not in answer.text
    assert not list((alone.home / "spool" / "gateway" / ".partial").iterdir())


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_deadline_counts_from_its_making() -> None:
    clock = Clock()
    deadline = Deadline(5, clock)
    deadline.require()
    clock.now_s += 4.9
    deadline.require()
    clock.now_s += 0.2
    with pytest.raises(HttpRefusalError, match="5 s") as refused:
        deadline.require()
    assert refused.value.status == 504


def test_a_file_is_emptied_when_the_time_is_over_and_only_then(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"audio")
    with Deadline(60).starving(file):
        pass
    assert file.read_bytes() == b"audio"
    with pytest.raises(HttpRefusalError) as refused:
        read_when_empty(file, Deadline(0.05))
    assert isinstance(refused.value.__cause__, AudioError)


def read_when_empty(file: Path, deadline: Deadline) -> None:
    with deadline.starving(file):
        wait_for(lambda: file.stat().st_size == 0, "the file is emptied")
        raise AudioError("cut short")


def test_errors_within_the_time_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="damaged"), Deadline(60).starving(tmp_path / "upload"):
        raise AudioError("damaged")
