"""The pool: few sounds make most of it, near-duplicates share a group, the test has as many of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.parts import require_part
from tidzam_platform.errors import FolderInUseError
from tidzam_platform.made_site.clips import make_clip
from tidzam_platform.made_site.pool import SOUNDS, PoolSize, make_pool, plan_pool, plan_test


def test_few_classes_make_most_of_the_pool_and_few_individuals_most_of_a_class() -> None:
    planned = plan_pool(1)
    classes = Counter(clip.class_path for clip in planned)
    assert classes.most_common(2)[0][1] + classes.most_common(2)[1][1] > 0.4 * len(planned)
    assert min(classes.values()) >= 15
    groups = Counter(clip.group for clip in planned if clip.class_path == "noise")
    assert max(groups.values()) > 5 * min(groups.values())
    voices = Counter(clip.voice for clip in planned if clip.class_path == "birds-warbler")
    assert max(voices.values()) > 4 * min(voices.values()), "a song and a rare call"
    assert len({(clip.group, clip.number) for clip in planned}) == len(planned)


def test_the_test_has_as_many_of_each_sound_and_shares_no_group_with_the_pool() -> None:
    tested = plan_test(1, 6)
    assert set(Counter(clip.voice for clip in tested).values()) == {6}
    assert len({clip.group for clip in tested}) == 6 * len(SOUNDS)
    assert not {clip.group for clip in tested} & {clip.group for clip in plan_pool(1)}


def test_a_clip_sounds_by_its_voice_and_is_the_same_every_time() -> None:
    first, *_, last = plan_pool(1, 0.1)
    np.testing.assert_array_equal(make_clip(first), make_clip(plan_pool(1, 0.1)[0]))
    assert last.voice != last.class_path
    assert 0 < np.abs(make_clip(last)).max() <= 1


def test_a_pool_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    require_part("ffmpeg")
    size = PoolSize(share=0.01, test_clips_per_sound=1)
    told: list[tuple[int, int]] = []
    made = make_pool(tmp_path / "made", size=size, progress=lambda done, of: told.append((done, of)))
    assert told[-1][0] == told[-1][1] == len(made.pool) + len(made.test)
    assert all(entry.path.exists() and entry.group for entry in (*made.pool, *made.test))
    told.clear()
    again = make_pool(tmp_path / "made", size=size, progress=lambda done, of: told.append((done, of)))
    assert again == made
    assert told == []


def test_a_pool_without_clips_is_refused() -> None:
    with pytest.raises(ValueError, match="needs clips"):
        PoolSize(share=0)


def test_a_pool_that_lost_a_clip_is_made_anew(tmp_path: Path) -> None:
    require_part("ffmpeg")
    size = PoolSize(share=0.01, test_clips_per_sound=1)
    made = make_pool(tmp_path / "made", size=size)
    lost, cut = made.pool[0].path, made.test[0].path
    whole = cut.stat().st_size
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:100])
    assert make_pool(tmp_path / "made", size=size) == made
    assert lost.exists()
    assert cut.stat().st_size == whole


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "test" / "mine.txt"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(FolderInUseError, match="not of a made pool"):
        make_pool(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
