"""A sound card: what is heard of it, and that whatever goes wrong with it is told in words, and soon."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.capture import Microphone
from streamer.capture.microphone import BLOCK_S, RATE_HZ
from tests.streamer.capture.sound_card import CARD_HZ, path_with_card
from tests.support.waiting import wait_for
from tidzam_platform.audio.encoding import write_audio
from tidzam_platform.errors import DecodingError

pytestmark = pytest.mark.timeout(60)

Card = Callable[..., None]


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    """Puts a sound card into this machine; arguments as of ``path_with_card``."""

    def put(seconds: float = 600, complaint_bytes: int = 0, then: str = "") -> None:
        path = path_with_card(tmp_path / "card", seconds=seconds, complaint_bytes=complaint_bytes, then=then)
        monkeypatch.setenv("PATH", path)

    return put


def loudest_hz(pcm: bytes) -> float:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / len(samples))


def test_a_card_is_heard_at_its_own_speed_in_blocks(card: Card) -> None:
    card()
    with Microphone("default") as microphone:
        blocks = microphone.blocks()
        heard = [next(blocks)]
        began_s = time.monotonic()
        heard += [next(blocks) for _ in range(4)]
        took_s = time.monotonic() - began_s
    sent_s = len(b"".join(heard[1:])) / 2 / RATE_HZ
    assert sent_s == pytest.approx(4 * BLOCK_S, abs=BLOCK_S)
    assert took_s > sent_s / 2, "no faster than it is heard"
    assert loudest_hz(b"".join(heard)) == pytest.approx(CARD_HZ, abs=3)


def test_the_channels_of_a_file_are_mixed_and_none_of_it_is_lost(tmp_path: Path) -> None:
    times = np.arange(RATE_HZ) / RATE_HZ
    samples = 0.4 * np.sin(2 * np.pi * np.array([[200.0], [900.0]]) * times)
    write_audio(tmp_path / "walk.wav", samples, RATE_HZ, codec="wav")
    with Microphone("", tmp_path / "walk.wav") as microphone:
        heard = np.frombuffer(b"".join(microphone.blocks()), "<i2")
    np.testing.assert_allclose(heard / 32768, samples.mean(axis=0), atol=1e-4)


def test_a_card_that_complains_more_than_a_pipe_holds_is_heard(card: Card) -> None:
    card(complaint_bytes=300_000)
    with Microphone("default") as microphone:
        assert loudest_hz(next(microphone.blocks())) == pytest.approx(CARD_HZ, abs=10)


def test_a_card_that_gives_nothing_any_more_is_told_of_within_its_time(card: Card) -> None:
    card()
    with Microphone("hw:1,0", silent_s=1.0) as microphone:
        blocks = microphone.blocks()
        next(blocks)
        os.kill(microphone.pid, signal.SIGSTOP)
        began_s = time.monotonic()
        with pytest.raises(DecodingError, match=r"hw:1,0 gives no audio: nothing came for 1 s.*arecord -l"):
            list(blocks)
        assert time.monotonic() - began_s < 5.0
        pid = microphone.pid
    assert not psutil.pid_exists(pid)


def test_a_card_that_is_pulled_out_is_an_error_though_ffmpeg_ends_well(card: Card) -> None:
    card(seconds=0.5)
    with (
        Microphone("hw:1,0") as microphone,
        pytest.raises(DecodingError, match="hw:1,0 gives no audio: it ended: was it unplugged"),
    ):
        list(microphone.blocks())


def test_what_ffmpeg_said_at_its_end_is_told(card: Card) -> None:
    card(seconds=0.3, then="echo 'hw:1,0: Input/output error' >&2")
    with Microphone("hw:1,0") as microphone, pytest.raises(DecodingError, match="Input/output error"):
        list(microphone.blocks())


def test_an_ffmpeg_that_is_killed_is_told_of(card: Card) -> None:
    card()
    with Microphone("default") as microphone:
        blocks = microphone.blocks()
        next(blocks)
        os.kill(microphone.pid, signal.SIGKILL)
        with pytest.raises(DecodingError, match="SIGKILL"):
            list(blocks)


def test_an_ffmpeg_that_says_the_end_and_stays_is_told_of_and_ended(card: Card) -> None:
    card(seconds=0.3, then="exec sleep 600 >&-")
    with Microphone("default") as microphone:
        pid = microphone.pid
        with pytest.raises(DecodingError, match="did not end"):
            list(microphone.blocks())
    wait_for(lambda: not psutil.pid_exists(pid), "it is ended")


def test_a_device_that_is_not_there_is_an_error_with_what_ffmpeg_said() -> None:
    with Microphone("hw:99") as microphone, pytest.raises(DecodingError, match=r"hw:99.*arecord -l"):
        list(microphone.blocks())
