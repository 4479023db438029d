"""A source with a schedule is recorded then, to the sample, and at no other time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.recording import ArchiveRecorder, plan_of
from streamer.engine.sources.specification import SourceSpecification
from tests.streamer.recording.made import NOON_NS, RATE_HZ, joined, noise, plan, recordings, source
from tests.support.parts import require_part
from tidzam_platform.clips.schedule import DAYS, Schedule
from tidzam_platform.errors import SourceError
from tidzam_platform.settings import Settings


def test_recording_pauses_and_goes_on_at_the_exact_sample(tmp_path: Path) -> None:
    require_part("ffmpeg")
    sent = noise(150, seed=3)
    scheduled = replace(
        plan(tmp_path, file_s=3600), schedule=(Schedule(times="11:00-12:01"), Schedule(times="12:02-13:00"))
    )
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS + 30_000_000_000)
        recorder = ArchiveRecorder(marsh.ring, scheduled)
        recorder.start()
        marsh.send(sent[: 60 * RATE_HZ], recorder)
        marsh.send(sent[60 * RATE_HZ :], recorder)
        assert recorder.stop()
    files = recordings(tmp_path)
    assert [path.name for path in files] == ["marsh-2026-04-01-12-00-30.ogg", "marsh-2026-04-01-12-02-00.ogg"]
    np.testing.assert_array_equal(joined(files), np.concatenate([sent[: 30 * RATE_HZ], sent[90 * RATE_HZ :]]))
    counts = recorder.counts()
    assert (counts["recorded_frames"], counts["paused_frames"]) == (90 * RATE_HZ, 60 * RATE_HZ)


def test_while_it_is_paused_it_says_so_and_makes_no_file(tmp_path: Path) -> None:
    scheduled = replace(plan(tmp_path), schedule=(Schedule(times="22:00-04:00"),))
    with source(tmp_path) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, scheduled)
        recorder.start()
        marsh.send(noise(5), recorder)
        assert recorder.status()["state"] == "paused"
        assert recorder.stop()
    assert not (tmp_path / "archive").exists() or recordings(tmp_path) == []


def _specification(**more: object) -> SourceSpecification:
    return SourceSpecification.parse({"name": "marsh", "url": "http://a.example/", "record": True, **more})


def test_a_schedule_is_read_from_a_text_in_the_zone_of_the_source(home: Settings) -> None:
    given = _specification(record_schedule="mon,fri 22:00-04:00; sun", zone="America/New_York")
    made = plan_of(given, home)
    friday_evening = datetime(2026, 4, 4, 2, 30, tzinfo=UTC)  # 22:30 in New York
    assert made.is_recorded_at(friday_evening)
    assert not made.is_recorded_at(friday_evening - timedelta(hours=1))
    assert made.is_recorded_at(datetime(2026, 4, 5, 12, tzinfo=UTC))
    assert not made.is_recorded_at(datetime(2026, 4, 7, 12, tzinfo=UTC))
    assert SourceSpecification.parse(given.as_dict(hide_secrets=False)) == given


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from(DAYS), min_size=1), st.integers(0, 23), st.integers(0, 23)),
        min_size=1,
        max_size=3,
    )
)
def test_what_a_text_says_is_what_a_list_says(parts: list[tuple[set[str], int, int]]) -> None:
    spans = [(",".join(sorted(days)), f"{begin:02d}:00-{end:02d}:30") for days, begin, end in parts]
    text = _specification(record_schedule="; ".join(f"{days} {span}" for days, span in spans))
    listed = _specification(record_schedule=[{"days": days, "times": span} for days, span in spans])
    assert text == listed
    assert SourceSpecification.parse(listed.as_dict(hide_secrets=False)) == listed


@pytest.mark.parametrize(
    "wrong",
    ["25:00-26:00", "someday", "mon 22:00-04:00 sun", {"times": "22:00-04:00", "zone": "UTC"}, 7, [7]],
)
def test_what_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(SourceError):
        _specification(record_schedule=wrong)


def test_a_schedule_without_recording_is_refused() -> None:
    with pytest.raises(SourceError, match="give record too"):
        SourceSpecification.parse({"name": "marsh", "url": "http://a.example/", "record_schedule": "sun"})


def test_without_a_schedule_it_is_recorded_all_the_time(home: Settings) -> None:
    made = plan_of(_specification(), home)
    assert made.schedule == ()
    assert made.is_recorded_at(datetime(2026, 4, 5, 12, tzinfo=UTC))
