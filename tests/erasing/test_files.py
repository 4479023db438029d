"""Erased stretches are silent, everything else is what it was, and times stay right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.audio.made import FEW_EXAMPLES, encode, noise
from tests.support.parts import require_part
from tidzam_platform.archive.erased_tag import comments_of, covers, joined, spans_of
from tidzam_platform.audio import probe, read_audio
from tidzam_platform.audio.ogg.packets import PacketJoiner
from tidzam_platform.audio.ogg.pages import PageReader
from tidzam_platform.erasing.files import erase_file
from tidzam_platform.errors import ArchiveError

SPANS = ((1.5, 2.25), (4.0, 4.5))
SECONDS = 6.0
RECOVERY_S = 0.3  # a lossy decoder needs some packets after silence to sound as before
MIXED = ("-mapping_family", "255")
CASES = {
    "opus": ("opus", 1, ()),
    "opus stereo": ("opus", 2, ()),
    "opus 5 channels": ("opus", 5, MIXED),
    "opus 60 ms": ("opus", 1, ("-frame_duration", "60", "-application", "voip")),
    "opus 2.5 ms": ("opus", 1, ("-frame_duration", "2.5", "-application", "lowdelay")),
    "opus long pages": ("opus", 1, ("-page_duration", "2000000")),
    "opus packets over pages": ("opus", 5, (*MIXED, "-b:a", "1280k", "-page_duration", "1")),
    "vorbis": ("vorbis", 2, ()),
    "oggflac": ("oggflac", 2, ()),
    "flac": ("flac", 2, ()),
    "wav": ("wav", 2, ()),
}


Spans = tuple[tuple[float, float], ...]


def _alike(one: Spans, other: Spans) -> bool:
    """The same but for what the comment rounds."""
    return len(one) == len(other) and np.allclose(np.array(one).ravel(), np.array(other).ravel(), atol=1e-6)


def _packets(path: Path) -> list[bytes]:
    joiner, packets = PacketJoiner(), []
    with path.open("rb") as handle:
        for page in PageReader(handle):
            packets += joiner.take(page, drop_first=False, keep_bytes=1 << 20)
    return packets


def _outside(spans: tuple[tuple[float, float], ...], rate_hz: int, frames: int, after_s: float) -> np.ndarray:
    chosen = np.ones(frames, bool)
    for start_s, end_s in spans:
        chosen[round((start_s - 0.02) * rate_hz) : round((end_s + after_s) * rate_hz)] = False
    return chosen


def test_what_a_killed_erasing_left_goes_with_the_next(tmp_path: Path) -> None:
    require_part("ffmpeg")
    path = tmp_path / "marsh-2026-04-01-05-00-00.wav"
    encode(noise(SECONDS), path, "wav")
    left = tmp_path / ".partial" / "1-abcdef"  # a copy with the voice in it
    left.parent.mkdir()
    left.write_bytes(path.read_bytes())
    erase_file(path, SPANS)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("case", CASES)
def test_what_was_erased_is_silent_and_all_else_as_before(tmp_path: Path, case: str) -> None:
    require_part("ffmpeg")
    kind, channels, options = CASES[case]
    path = tmp_path / "marsh-2026-04-01-05-00-00.x"
    encode(noise(SECONDS, channels=channels), path, kind, options=("-metadata", "station=pond", *options))
    before, info = read_audio(path, max_s=60), probe(path)
    old_packets = _packets(path) if info.container == "ogg" else []
    erased = erase_file(path, SPANS)
    after, now = read_audio(path, max_s=60), probe(path)
    assert before.shape == after.shape
    assert (now.seconds, now.holes, now.codec, now.channels) == (
        info.seconds,
        info.holes,
        info.codec,
        info.channels,
    )
    for start_s, end_s in SPANS:
        inside = after[:, round(start_s * 48000) + 1 : round(end_s * 48000) - 1]
        assert np.abs(inside).max() < 1e-4, case
        assert np.abs(before[:, round(start_s * 48000) : round(end_s * 48000)]).max() > 0.05
        assert covers(erased.spans, (start_s, end_s))
    assert (
        sum(end - start for start, end in erased.spans) < 1.25 + 4 * 0.25
    )  # not much more than was asked for
    lossless = kind in ("flac", "oggflac", "wav")
    chosen = _outside(erased.spans, 48000, after.shape[1], 0.0 if lossless else RECOVERY_S)
    assert chosen.sum() > after.shape[1] / 2
    difference = np.abs(before - after)[:, chosen].max()
    assert difference == 0 if lossless else difference < 0.02, (case, difference)
    if old_packets:
        new_packets = _packets(path)
        assert len(new_packets) == len(old_packets)
        same = sum(old == new for old, new in zip(old_packets, new_packets, strict=True))
        assert same > len(old_packets) / 2
        assert now.tags["station"] == "pond" or case == "oggflac"
    if kind != "wav":
        assert _alike(spans_of(now.tags), erased.spans)
    again = erase_file(path, SPANS)  # nothing new is erased, nothing old is forgotten
    assert covers(again.spans, SPANS[0])
    third = erase_file(path, [(0.0, 0.5)])
    if kind != "wav":
        assert covers(third.spans, SPANS[1])
    assert np.abs(read_audio(path, max_s=60)[:, : round(0.49 * 48000)]).max() < 1e-4


@FEW_EXAMPLES
@given(
    start_s=st.floats(0, 3.2),
    length_s=st.floats(0.001, 3.5),
    kind=st.sampled_from(["opus", "vorbis", "oggflac"]),
)
@example(start_s=0.0, length_s=0.5, kind="opus")
@example(start_s=2.5, length_s=3.0, kind="opus")
@example(start_s=0.0, length_s=4.0, kind="vorbis")
def test_any_stretch_of_time_can_be_erased(
    tmp_path_factory: pytest.TempPathFactory, start_s: float, length_s: float, kind: str
) -> None:
    require_part("ffmpeg")
    path = tmp_path_factory.mktemp("erasing") / "x.ogg"
    encode(noise(3.0), path, kind)
    before = probe(path)
    erased = erase_file(path, [(start_s, start_s + length_s)])
    assert probe(path).seconds == before.seconds
    if start_s < before.seconds:
        assert covers(erased.spans, (start_s, min(start_s + length_s, before.seconds)))
        assert covers(spans_of(probe(path).tags), (start_s, min(start_s + length_s, before.seconds)))
    heard = read_audio(path, max_s=60)[:, round(start_s * 48000) : round((start_s + length_s) * 48000)]
    assert heard.size == 0 or np.abs(heard).max() < 1e-4


def test_a_file_with_a_hole_keeps_its_hole_and_its_times(tmp_path: Path) -> None:
    require_part("ffmpeg")
    path = tmp_path / "x.opus"
    encode(noise(6.0), path, "opus", options=("-page_duration", "200000"))
    with path.open("rb") as handle:
        pages = list(PageReader(handle))
    data = path.read_bytes()
    gone = pages[12:15]
    path.write_bytes(data[: gone[0].offset] + b"junk" * 50 + data[gone[-1].end :])
    before = probe(path)
    assert len(before.holes) == 1
    hole = before.holes[0]
    erase_file(path, [(hole[1] + 0.5, hole[1] + 1.0), (hole[0] - 0.5, hole[0] - 0.2)])
    after = probe(path)
    assert after.seconds == before.seconds
    assert _alike(after.holes, before.holes)
    samples = read_audio(path, max_s=60)
    for start_s, end_s in [(hole[1] + 0.5, hole[1] + 1.0), (hole[0] - 0.5, hole[0] - 0.2)]:
        assert np.abs(samples[:, round(start_s * 48000) : round(end_s * 48000)]).max() < 1e-4


def test_what_cannot_be_erased_is_refused_and_stays(tmp_path: Path) -> None:
    require_part("ffmpeg")
    path = tmp_path / "x.mp3"
    encode(noise(1.0), path, "mp3")
    data = path.read_bytes()
    with pytest.raises(ArchiveError, match="cannot be erased"):
        erase_file(path, [(0.1, 0.2)])
    assert path.read_bytes() == data
    assert [entry.name for entry in tmp_path.iterdir()] in (
        ["x.mp3"],
        ["x.mp3", ".partial"],
        [".partial", "x.mp3"],
    )


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**4)), max_size=1000))
def test_the_comment_tells_every_stretch(spans: list[tuple[int, int]]) -> None:
    known = joined((start / 100, (start + length) / 100) for start, length in spans)
    texts = [comment.partition("=")[2] for comment in comments_of(known)]
    assert all(len(text) < 1 << 14 for text in texts)
    assert _alike(spans_of({"tidzam_erased": "; ".join(texts)}), known)
