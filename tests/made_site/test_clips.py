"""Labelled clips before they are written: deterministic, grouped, audible, all different."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from tests.made_site.levels import level_db_over_time
from tidzam_platform.classifiers.baseline import nearest_centroid_macro_f1
from tidzam_platform.datasets.sides import plan_sides
from tidzam_platform.made_site import SiteSize
from tidzam_platform.made_site.clips import CLASSES, NOISE, Clip, make_clip, plan_clips
from tidzam_platform.made_site.synthesis import RATE_HZ

FULL = SiteSize()


def planned(seed: int = 1, clips_per_class: int = 6, groups_per_class: int = 3) -> list[Clip]:
    return plan_clips(seed, clips_per_class=clips_per_class, groups_per_class=groups_per_class)


def full_plan(seed: int = 1) -> list[Clip]:
    return planned(seed, FULL.clips_per_class, FULL.groups_per_class)


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    for clip, again, other in zip(planned(), planned(), planned(seed=2), strict=True):
        first = make_clip(clip)
        assert np.array_equal(first, make_clip(again))
        assert not np.array_equal(first, make_clip(other))


def test_no_clip_equals_another() -> None:
    assert len({make_clip(clip).tobytes() for clip in planned()}) == len(planned())


def test_clips_last_one_to_three_seconds_and_stay_within_full_scale() -> None:
    for clip in planned():
        sound = make_clip(clip)
        assert RATE_HZ <= len(sound) <= 3 * RATE_HZ
        assert 1e-4 < np.abs(sound).max() <= 0.9


def test_the_full_site_has_enough_clips_and_groups_of_every_class() -> None:
    groups = defaultdict(set)
    for clip in full_plan():
        groups[clip.class_path].add(clip.group)
    assert set(groups) == set(CLASSES)
    assert min(map(len, groups.values())) >= 8
    assert 400 <= len(full_plan()) <= 450


def test_a_group_is_one_individual_at_one_place_and_of_one_class() -> None:
    groups = defaultdict(list)
    for clip in full_plan():
        groups[clip.group].append(clip)
    for members in groups.values():
        assert len({(clip.class_path, clip.place, clip.individual, clip.distance) for clip in members}) == 1
    assert len({members[0].place for members in groups.values()}) == len(groups)


def test_the_individuals_of_a_class_cover_its_range() -> None:
    pitches = sorted({clip.individual.pitch for clip in full_plan() if clip.class_path == "birds-fast_trill"})
    assert pitches[0] < 0.1
    assert pitches[-1] > 0.9
    assert max(np.diff(pitches)) < 0.15


def test_an_event_stands_out_of_the_noise_of_its_clip() -> None:
    """In the band where the event is, the loudest tenth of a clip is well above its quietest tenth."""
    contrasts_db = defaultdict(list)
    for clip in planned(clips_per_class=12, groups_per_class=6):
        levels_db = np.sort(level_db_over_time(make_clip(clip)), axis=0)
        tenth = len(levels_db) // 10
        contrast_db = levels_db[-tenth:].mean(axis=0) - levels_db[:tenth].mean(axis=0)
        contrasts_db[clip.class_path].append(contrast_db.max())
    noise_db = np.mean(contrasts_db.pop(NOISE))
    for class_path, contrast_db in contrasts_db.items():
        assert np.mean(contrast_db) > noise_db + 2, class_path


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_nearest_centroid_on_mfcc_statistics_stays_below_0_7(seed: int) -> None:
    clips = full_plan(seed)
    sides = plan_sides({clip.group: frozenset([clip.class_path]) for clip in clips}, {})
    train, test = [], []
    for clip in clips:
        example = (make_clip(clip).astype(np.float32), clip.class_path)
        (test if sides[clip.group] == "test" else train).append(example)
    macro_f1 = nearest_centroid_macro_f1(train, test, RATE_HZ)
    assert 0.3 < macro_f1 <= 0.7
