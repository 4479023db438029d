"""What a listener of a channel is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.engine.listening.listener_audio import ListenerAudio
from streamer.engine.rings import ChannelRings, RingFolder
from tests.streamer.listening.made import RATE_HZ, ToneSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ToneSite]:
    """Two channels, written by hand."""
    with RingFolder(tmp_path) as folder, ChannelRings.create(folder, 2, 2) as rings:
        yield ToneSite(rings, 2)


def test_all_that_is_written_comes_once_and_in_order(site: ToneSite) -> None:
    audio = ListenerAudio(site.rings, lambda: 1, now_s=0.0)
    assert len(audio.take(0.0)) == 0
    site._write(0, 4800)
    first = audio.take(0.1)
    site._write(4800, 4800)
    both = np.concatenate([first, audio.take(0.2)])
    np.testing.assert_array_equal(both, site.rings.data[1, :9600])
    assert (audio.lost_frames, audio.silent_frames) == (0, 0)


def test_where_nothing_comes_silence_comes_at_the_same_pace_until_it_goes_on(site: ToneSite) -> None:
    audio = ListenerAudio(site.rings, lambda: 0, now_s=0.0)
    site._write(0, 4800)
    assert len(audio.take(0.1)) == 4800
    frames = [len(audio.take(0.1 + 0.1 * number)) for number in range(1, 31)]
    assert not any(frames[:4])  # a late cycle is no silence
    assert sum(frames) == pytest.approx(3.0 * RATE_HZ, abs=2)
    site._write(4800, 4800)
    heard = audio.take(3.2)
    np.testing.assert_array_equal(heard, site.rings.data[0, 4800:9600])


def test_a_channel_that_has_no_slot_is_silent_and_is_found_when_it_has_another(site: ToneSite) -> None:
    slots: list[int | None] = [0]
    audio = ListenerAudio(site.rings, lambda: slots[0], now_s=0.0)
    site._write(0, 4800)
    audio.take(0.1)
    slots[0] = None
    site._write(4800, 48_000)
    assert not audio.take(1.1).any()
    slots[0] = 1
    audio.take(1.2)
    site._write(52_800, 4800)
    np.testing.assert_array_equal(audio.take(1.3), site.rings.data[1, 52_800:57_600])


def test_what_was_overwritten_is_counted(site: ToneSite) -> None:
    audio = ListenerAudio(site.rings, lambda: 0, now_s=0.0)
    for number in range(5):
        site._write(number * RATE_HZ, RATE_HZ)
    assert len(audio.take(5.0)) + audio.lost_frames == 5 * RATE_HZ
    assert audio.lost_frames > 0
