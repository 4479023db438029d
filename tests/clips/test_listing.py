"""Clips are found by what is known of them, page by page."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.clips.made import NOON, metadata, record, rule, say, supersede
from tests.support.parts import require_part
from tidzam_platform.catalog import Catalog
from tidzam_platform.clips import ClipQuery, find_clip, find_clips
from tidzam_platform.errors import TidzamError
from tidzam_platform.store import LocalStore


@pytest.fixture
def clips(catalog: Catalog, tmp_path: Path) -> list[int]:
    """Six: robins and a crow, rain and unknown, on two channels, a minute apart."""
    require_part("ffmpeg")
    store = LocalStore(tmp_path / "store")
    birds = rule(catalog, classes="birds")
    what = [
        ("birds-robin", "marsh:out_1", 0.9),
        ("birds-robin", "marsh:out_2", 0.6),
        ("birds-crow", "marsh:out_1", 0.4),
        ("rain", "pond:out_1", 0.8),
        ("unknown", "pond:out_1", 0.2),
        ("birds_of_prey", "pond:out_1", 0.7),
    ]
    return [
        record(
            catalog,
            store,
            tmp_path / "spool",
            metadata(
                path,
                channel=channel,
                score=score,
                at_s=60 * number,
                rule_id=birds.id,
                generation=1 + number % 2,
            ),
            seed=number,
            frames=480,
        ).id
        for number, (path, channel, score) in enumerate(what)
    ]


def found(catalog: Catalog, clips: list[int], **query: object) -> set[int]:
    """Positions of what is found."""
    return {clips.index(clip.id) for clip in find_clips(catalog, ClipQuery(**query)).clips}  # type: ignore[arg-type]


def test_each_filter_chooses_what_it_says(catalog: Catalog, clips: list[int]) -> None:
    assert found(catalog, clips) == {0, 1, 2, 3, 4, 5}
    assert found(catalog, clips, channels=("marsh:out_*",)) == {0, 1, 2}
    assert found(catalog, clips, channels=("*:out_2", "pond:out_1")) == {1, 3, 4, 5}
    assert found(catalog, clips, channels=("nobody:out_*",)) == set()
    assert found(catalog, clips, classes=("birds",)) == {0, 1, 2}
    assert found(catalog, clips, classes=("birds-robin", "unknown")) == {0, 1, 4}
    assert found(catalog, clips, lowest_score=0.6, highest_score=0.8) == {1, 3, 5}
    assert found(
        catalog, clips, start_from=NOON + timedelta(minutes=1), start_before=NOON + timedelta(minutes=3)
    ) == {1, 2}
    assert found(catalog, clips, generation=2) == {1, 3, 5}
    assert found(catalog, clips, destination="unchecked") == {0, 1, 2, 3, 4, 5}
    assert found(catalog, clips, rule_id=999) == set()


def test_labels_count_before_what_a_clip_was_kept_for(catalog: Catalog, clips: list[int]) -> None:
    say(catalog, clips[0], "rain")
    wrong = say(catalog, clips[1], "rain")
    supersede(catalog, wrong, say(catalog, clips[1], "birds-robin", "unsure"))
    assert found(catalog, clips, is_labelled=True) == {0, 1}
    assert found(catalog, clips, is_labelled=False) == {2, 3, 4, 5}
    assert found(catalog, clips, classes=("rain",)) == {0, 3}
    assert found(catalog, clips, classes=("birds",)) == {1, 2}
    clip = find_clip(catalog, clips[1])
    assert clip is not None
    assert [(label.class_path, label.verdict) for label in clip.labels] == [("birds-robin", "unsure")]
    assert clip.as_dict()["annotations"][0]["annotator"] == "ann"
    assert clip.as_dict()["group"] == "live/marsh/2026-04-01T12:00:00Z"
    assert find_clip(catalog, 999) is None


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 100])
def test_pages_hold_every_clip_once_the_newest_first(catalog: Catalog, clips: list[int], limit: int) -> None:
    seen: list[int] = []
    cursor = None
    for _ in range(10):
        page = find_clips(catalog, ClipQuery(limit=limit, cursor=cursor))
        seen += [clip.id for clip in page.clips]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(clips, reverse=True)


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": 5000}, {"cursor": "1; DROP"}, {"cursor": "٣"}, {"cursor": "9" * 30}]
)
def test_pages_that_make_no_sense_are_refused(catalog: Catalog, wrong: dict[str, object]) -> None:
    with pytest.raises(TidzamError):
        find_clips(catalog, ClipQuery(**wrong))  # type: ignore[arg-type]
