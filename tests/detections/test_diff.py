"""The difference of two generations: counts that agree with each other, and examples that can be listened to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.detections.made import NOON, heard, keep_in_files
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Recording, Source
from tidzam_platform.detections.diff import diff_days
from tidzam_platform.detections.difference import COUNTS
from tidzam_platform.detections.difference_picture import picture_of
from tidzam_platform.errors import QueryError, ReprocessingError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

BEGIN, END = NOON - timedelta(hours=12), NOON + timedelta(hours=12)


@pytest.fixture
def opened(home: Settings):
    made = Home.open(home)
    yield made
    made.catalog.close()


def record(catalog: Catalog, path: str, hours: float = 1.0) -> None:
    with catalog.session() as session:
        source = session.query(Source).filter_by(name="marsh").one_or_none() or Source(name="marsh")
        session.add(source)
        session.flush()
        session.add(
            Recording(
                source_id=source.id, path=path, size_bytes=1, mtime_ns=1, sha256=path, codec="opus", rate_hz=48000,
                channels=4, start=NOON, end=NOON + timedelta(hours=hours), seconds=hours * 3600, holes=[],
            )
        )  # fmt: skip


def test_what_was_gained_lost_and_changed_is_counted_by_class_channel_and_hour(opened: Home) -> None:
    record(opened.catalog, "/archive/marsh.opus")
    both = {"channel": "marsh:out_2", "class_path": "rain"}
    keep_in_files(
        opened.catalog,
        opened.store,
        [
            heard(10),
            heard(20, score=0.9),
            heard(30, **both),
            heard(7200, class_path="fox"),
            heard(10, generation=2),
            heard(30.5, channel="marsh:out_2", class_path="birds", generation=2, score=0.5),
            heard(3700, channel="marsh:out_2", class_path="birds", generation=2, score=0.8),
        ],
    )
    found = diff_days(opened, 2, 1, "marsh", BEGIN, END)
    assert found.totals == {
        "before": 4, "after": 3, "kept_before": 1, "kept_after": 1, "gained": 1, "lost": 2, "changed": 1,
    }  # fmt: skip
    assert found.changes == {("rain", "birds"): 1}
    cells = {
        (cell.class_path, cell.channel, cell.hour.hour): tuple(getattr(cell, name) for name in COUNTS)
        for cell in found.cells
    }
    assert cells == {
        ("birds", "marsh:out_2", 12): (0, 0, 0, 1, 0),
        ("birds", "marsh:out_2", 13): (0, 1, 0, 0, 0),
        ("birds-crow", "marsh:out_1", 12): (1, 0, 1, 0, 0),
        ("fox", "marsh:out_1", 14): (0, 0, 1, 0, 0),
        ("rain", "marsh:out_2", 12): (0, 0, 0, 0, 1),
    }
    first = found.examples[0]
    assert (first.kind, first.recording, first.offset_s) == ("changed", "/archive/marsh.opus", 30.5)
    assert [one.recording for one in found.examples if one.detection.class_path == "fox"] == [None]
    answer = found.as_json()
    assert answer["examples"][0]["number"] == 2
    assert answer["totals"]["lost"] == 2
    assert picture_of(found).startswith(b"\x89PNG")


def test_only_the_strongest_examples_of_a_kind_and_class_are_kept(opened: Home) -> None:
    record(opened.catalog, "/archive/marsh.opus")
    gained = [heard(10 * n, generation=2, score=n / 100) for n in range(40)]
    keep_in_files(opened.catalog, opened.store, [*gained, heard(3000, class_path="rain")])
    found = diff_days(opened, 2, 1, "marsh", BEGIN, END, examples=3)
    scores = [round(one.strength, 2) for one in found.examples if one.kind == "gained"]
    assert scores == [0.39, 0.38, 0.37]


def test_a_day_that_one_generation_has_not_heard_is_no_difference_but_an_error(opened: Home) -> None:
    record(opened.catalog, "/archive/marsh.opus")
    keep_in_files(opened.catalog, opened.store, [heard(10), heard(10, generation=2, channel="river:out_1")])
    with pytest.raises(ReprocessingError, match=r"generation 2 has not heard marsh on 2026-04-01.*reprocess"):
        diff_days(opened, 2, 1, "marsh", BEGIN, END)
    with pytest.raises(QueryError, match="itself"):
        diff_days(opened, 1, 1, "marsh", BEGIN, END)
    with pytest.raises(QueryError, match="no source"):
        diff_days(opened, 2, 1, "lake", BEGIN, END)


def test_sounds_over_midnight_are_compared_with_what_is_in_the_file_of_the_other_day(opened: Home) -> None:
    midnight_s = 12 * 3600
    keep_in_files(
        opened.catalog,
        opened.store,
        [heard(midnight_s - 1, seconds=3), heard(midnight_s + 1, seconds=3, generation=2)],
    )
    found = diff_days(opened, 2, 1, "marsh", BEGIN, END + timedelta(days=1))
    assert found.totals["kept_after"] == 1
    assert not found.totals["lost"]


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_cells_add_up_to_the_totals(opened: Home, tmp_path: Path, data: st.DataObject) -> None:
    numbers = st.lists(st.integers(0, 20_000), min_size=1, max_size=12, unique=True)
    classes = st.sampled_from(["birds", "rain"])
    made = [
        heard(after, generation=generation, class_path=data.draw(classes), seconds=600)
        for generation in (1, 2)
        for after in data.draw(numbers)
    ]
    keep_in_files(opened.catalog, opened.store, made)
    found = diff_days(opened, 2, 1, "marsh", BEGIN, END, examples=1)
    for name, totals in (
        ("kept", "kept_after"), ("gained", "gained"), ("lost", "lost"), ("changed_to", "changed"),
        ("changed_from", "changed"),
    ):  # fmt: skip
        assert sum(getattr(cell, name) for cell in found.cells) == found.totals[totals]
        for what in ("class_path", "channel", "hour"):
            assert sum(counts[name] for counts in found.by(what).values()) == found.totals[totals]
