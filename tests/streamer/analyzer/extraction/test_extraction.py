"""Clips into a folder: cut as the analyzer cuts them, weighed by what is there, never what is forbidden."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from streamer.analyzer.extraction import Extraction, FolderWriter, extraction_rules, run_of_file
from streamer.analyzer.extraction.folder_writer import count_clips
from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.writer import ClipJob
from streamer.engine.reserved_names import LIVE_STREAMS
from tests.clips.made import break_rule, metadata, noise16, rule
from tests.streamer.analyzer.keeping.made import GEOMETRY, NOON_NS, PATHS, hear, run, sound, window
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.audio import AudioInfo, read_audio
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Source
from tidzam_platform.clips import ClipMetadata
from tidzam_platform.clips.flac import read_flac_head
from tidzam_platform.errors import RecordingError, RuleError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

THRESHOLDS = dict.fromkeys(PATHS, 0.5)


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require_part("ffmpeg")


@contextmanager
def extracting(
    home: Settings, folder: Path, *texts: str, channels: tuple[str, ...] = ("*",)
) -> Iterator[tuple[Extraction, AudioHistory]]:
    rules = extraction_rules(texts, channels, home.clips.preroll_mb)
    with Extraction(home, rules, folder, waits=True, draws=random.Random(1)) as extraction:  # noqa: S311 - no secret
        history = extraction.history()
        extraction.begin(history, THRESHOLDS)
        yield extraction, history


def play(
    extraction: Extraction,
    history: AudioHistory,
    answer: str = "birds-robin",
    *,
    number: int = 0,
    source: str = "marsh",
    other: str = "unknown",
) -> None:
    """A run of five seconds with one window in its middle that has the answer; the others have another one."""
    of = run(source, later_s=100 * number)
    hear(history, sound(5, seed=number), of=of)
    for index in range(9):
        extraction.hear(window(index, answer if index == 3 else other, of=of, ended_s=0.0))
    extraction.settle(time.monotonic())


def test_a_clip_is_a_flac_file_with_all_that_is_known_of_it(home: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    with extracting(home, folder, "birds") as (extraction, history):
        play(extraction, history)
    (clip,) = extraction.written()
    assert clip.path == folder / "unchecked" / "birds-robin_marsh-out_1_2026-04-01T12-00-00.500Z.flac"
    assert clip.is_new
    np.testing.assert_array_equal(read_audio(clip.path)[0] * 32768, sound(5, seed=0)[24_000:168_000])
    inside = ClipMetadata.from_comments(read_flac_head(clip.path.read_bytes()).comments)
    assert (inside.channel, inside.start_utc_ns) == ("marsh:out_1", NOON_NS + 500_000_000)
    assert (inside.class_path, inside.window, inside.rule_id) == ("birds-robin", (1.0, 2.0), -1)
    assert inside.scores["birds-robin"] == pytest.approx(0.9)


def test_the_same_again_adds_nothing_and_another_sound_overwrites_nothing(
    home: Settings, tmp_path: Path
) -> None:
    for _ in range(2):
        with extracting(home, tmp_path, "birds") as (extraction, history):
            play(extraction, history)
    assert [clip.is_new for clip in extraction.written()] == [False]
    with extracting(home, tmp_path, "birds") as (extraction, history):
        hear(history, sound(4, seed=9))
        extraction.hear(window(3, "birds-robin", ended_s=0.0))
        extraction.settle(time.monotonic())
    (other,) = extraction.written()
    assert other.is_new
    assert len(list((tmp_path / "unchecked").iterdir())) == 2
    assert not (tmp_path / ".partial").exists()
    assert count_clips(tmp_path) == {"birds-robin": 2}


def test_auto_weighs_by_the_clips_of_the_folder(home: Settings, tmp_path: Path) -> None:
    for expected in (1, 0):  # a class with none is kept, then it is the most common one
        with extracting(home, tmp_path, "rain:auto") as (extraction, history):
            for number in range(5):
                play(extraction, history, "rain", number=10 * expected + number)
        assert len(list(extraction.written())) == expected
    (tmp_path / "notes.flac").write_text("no clip")
    assert count_clips(tmp_path) == {"rain": 1}


def test_only_the_classes_and_channels_that_are_named(home: Settings, tmp_path: Path) -> None:
    with extracting(home, tmp_path, "birds", "unknown:0", channels=("pond:*",)) as (extraction, history):
        for number, (source, answer) in enumerate(
            [("marsh", "birds"), ("pond", "rain"), ("pond", "birds-crow"), ("pond", "unknown")]
        ):
            play(extraction, history, answer, number=number, source=source)
    assert [clip.metadata.class_path for clip in extraction.written()] == ["birds-crow"]


def test_what_rules_of_the_catalog_forbid_is_not_kept_here_either(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.analyzer.extraction.extraction.RULES_S", 0.0)
    site = Home.open(home)
    try:
        rule(site.catalog, forbid=True, classes="human")
        with extracting(home, tmp_path, "birds") as (extraction, history):
            play(extraction, history, other="human-speech")  # on both sides of the bird
            play(extraction, history, number=1)
            wait_for(lambda: count_clips(tmp_path).total() == 1, "the clear one is written")
            break_rule(site.catalog, '{"forbid": true, "colour": "red"}')  # nobody knows what it forbids
            extraction.settle(time.monotonic())
            play(extraction, history, number=2)
        assert count_clips(tmp_path) == {"birds-robin": 1}
        assert extraction.skipped == {"forbidden": 1}
    finally:
        site.catalog.close()


def test_live_streams_of_people_are_never_kept(home: Settings, tmp_path: Path) -> None:
    with extracting(home, tmp_path, "*") as (extraction, history):
        play(extraction, history, source=LIVE_STREAMS, other="birds")
    assert list(extraction.written()) == []


def test_a_folder_that_takes_nothing_is_an_error(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "unchecked").write_text("in the way")
    with extracting(home, tmp_path, "birds") as (extraction, history):
        play(extraction, history)
    with pytest.raises(OSError, match="unchecked"):
        list(extraction.written())


def test_clips_that_a_slow_disk_has_not_taken_at_the_end_are_an_error(tmp_path: Path) -> None:
    writes, goes_on = threading.Event(), threading.Event()

    class SlowLedger(Ledger):
        def record(
            self, class_path: str, rule_id: int
        ) -> None:  # as a network disk does whose server has gone
            writes.set()
            assert goes_on.wait(30)
            super().record(class_path, rule_id)

    writer = FolderWriter(tmp_path, SlowLedger(), waits=True)
    writer.start()
    for number in range(3):
        assert writer.submit(ClipJob(noise16(9600, number), metadata(at_s=number)))
    assert writes.wait(20)
    writer.stop(0.1)
    with pytest.raises(RecordingError, match="3 clips are not in"):
        list(writer.written())
    goes_on.set()
    wait_for(lambda: not writer.is_running, "it ends")
    assert count_clips(tmp_path).total() == 1, "nothing goes on behind who was told of the error"


@pytest.mark.parametrize(
    "text", ["", ":auto", "birds:", "birds:often", "birds:2", "Birds", "birds:auto:1", "../x"]
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        extraction_rules([text], ["*"], 100)


@pytest.mark.parametrize(
    ("name", "tags", "source", "start"),
    [
        (
            "marsh-2026-04-01-14-00-00.opus",
            {},
            "marsh",
            NOON_NS,
        ),  # the clock of the source shows summer in Paris
        ("pond-2026-04-01-12-00-00.opus", {}, "pond", NOON_NS),
        (
            "pond-2026-04-01-12-00-00.opus",
            {"tidzam_start": "2026-04-01T12:00:00.000000007Z"},
            "pond",
            NOON_NS + 7,
        ),
        (
            "pond-2026-04-01-12-00-00.opus",
            {"tidzam_start": "2020-04-01T12:00:00.000000007Z"},
            "pond",
            NOON_NS,
        ),
        ("a walk (2).wav", {}, "a-walk-2", 0),
        ("été.wav", {"tidzam_start": "2026-04-01T12:00:00.000000007Z"}, "t", NOON_NS + 7),
        ("...", {}, "file", 0),
    ],
)
def test_a_file_is_a_run_at_its_time(
    name: str, tags: dict[str, str], source: str, start: int, tmp_path: Path
) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    try:
        with catalog.session() as session:
            session.add(Source(name="marsh", time_zone="Europe/Paris"))
        info = AudioInfo("ogg", "opus", 48_000, 1, 10.0, (), False, tags)
        found = run_of_file(tmp_path / name, info, GEOMETRY, catalog)
    finally:
        catalog.close()
    assert (found.source, found.anchor_utc_ns) == (source, start)
    assert found.time_zero == datetime.fromtimestamp(start // 10**9, UTC)
