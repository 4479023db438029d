"""Draws: balanced by class and group, inside the clips, and the same for the same seed and epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.training.examples import Examples
from tidzam_platform.classifiers.training.sampler import BalancedSampler
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.errors import TrainingError
from tidzam_platform.settings import AugmentationSettings

SPEC = by_parent(CLASSES)
HALF = AugmentationSettings(background_share=0.5, noise_share=0, time_stretch=0.3)


def examples(uneven: bool = False) -> Examples:
    clips = made_clips()
    if uneven:  # one class has ten times the clips of the others, all of one group
        many = made_clips(groups=40, seed=1)[:80]
        clips += [clip for clip in many if clip.class_paths == ("animal-bird",)]
    return Examples.of(clips, SPEC, TINY, ("noise",))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 1000), count=st.integers(1, 300))
def test_crops_lie_inside_their_clip_and_backgrounds_inside_clips_of_background(
    seed: int, epoch: int, count: int
) -> None:
    drawn_from = examples()
    draws = BalancedSampler(drawn_from, seed, HALF).draw(epoch, count)
    first, last = drawn_from.first_frame[draws.clips], drawn_from.frames[draws.clips]
    assert (draws.starts >= first).all()
    assert (draws.starts + np.floor(np.float32(TINY.patch_frames - 1) * draws.rates) < first + last).all()
    for start in draws.backgrounds[draws.backgrounds >= 0]:
        clip = int(np.searchsorted(drawn_from.first_frame, start, side="right")) - 1
        assert drawn_from.is_background[clip]
        assert start + TINY.patch_frames <= drawn_from.first_frame[clip] + drawn_from.frames[clip]


def test_classes_come_equally_often_whatever_their_number_of_clips() -> None:
    drawn_from = examples(uneven=True)
    draws = BalancedSampler(drawn_from, 1, AugmentationSettings(noise_share=0)).draw(1, 400)
    counts = Counter(drawn_from.labels[clip] for clip in draws.clips)
    assert set(counts.values()) == {100}


def test_between_equal_and_natural_a_class_weighs_by_the_root_of_its_clips() -> None:
    drawn_from = examples(uneven=True)
    sizes = Counter(drawn_from.labels)
    draws = BalancedSampler(drawn_from, 1, AugmentationSettings(), 0.5).draw(1, 1000)
    counts = Counter(drawn_from.labels[clip] for clip in draws.clips)
    roots = {label: size**0.5 for label, size in sizes.items()}
    for label, count in counts.items():
        assert count == pytest.approx(1000 * roots[label] / sum(roots.values()), abs=1.01)


def test_groups_of_a_class_come_about_equally_often() -> None:
    drawn_from = examples(uneven=True)
    draws = BalancedSampler(drawn_from, 1, AugmentationSettings(noise_share=0)).draw(1, 40_000)
    counts = Counter(drawn_from.groups[clip] for clip in draws.clips if drawn_from.labels[clip] == (1,))
    expected = 10_000 / len(counts)
    assert max(counts.values()) < 1.4 * expected
    assert min(counts.values()) > 0.6 * expected


def test_the_same_seed_and_epoch_draw_the_same_and_others_do_not() -> None:
    drawn_from = examples()
    draws = [
        BalancedSampler(drawn_from, seed, HALF).draw(epoch, 64)
        for seed, epoch in ((1, 1), (1, 1), (1, 2), (2, 1))
    ]
    starts = [one.starts.tolist() for one in draws]
    assert starts[0] == starts[1]
    assert starts[0] != starts[2]
    assert starts[0] != starts[3]


def test_background_gets_no_background_of_the_site_and_the_share_is_kept() -> None:
    drawn_from = examples()
    draws = BalancedSampler(drawn_from, 1, HALF).draw(1, 4000)
    of_background = drawn_from.is_background[draws.clips]
    assert (draws.backgrounds[of_background] == -1).all()
    assert (draws.backgrounds[~of_background] >= 0).mean() == pytest.approx(0.5, abs=0.05)


def test_clips_of_classes_that_the_tree_does_not_know_are_left_out_and_none_at_all_is_an_error() -> None:
    strangers = made_clips(("weather-rain", "weather-wind"))
    assert len(Examples.of([*made_clips(), *strangers], SPEC, TINY).labels) == len(made_clips())
    with pytest.raises(TrainingError, match="no clip of the classes"):
        Examples.of(strangers, SPEC, TINY)


def test_noise_of_random_colour_lies_under_its_share_of_the_patches_that_got_no_background() -> None:
    drawn_from = examples()
    settings = AugmentationSettings(background_share=0.5, noise_share=0.5, noise_tilt_db_per_octave=(-6, 3))
    draws = BalancedSampler(drawn_from, 1, settings).draw(1, 4000)
    of_background = drawn_from.is_background[draws.clips]
    noisy = draws.backgrounds >= drawn_from.noise_start
    assert noisy[of_background].mean() == pytest.approx(0.5, abs=0.05), "noise alone must not tell a sound"
    assert noisy[~of_background].mean() == pytest.approx(0.25, abs=0.04)
    assert (draws.backgrounds + TINY.patch_frames <= len(drawn_from.log_mel)).all()
    assert (draws.tilts_db[~noisy] == 0).all()
    assert -6 <= draws.tilts_db[noisy].min() < -5
    assert 2 < draws.tilts_db[noisy].max() <= 3
    assert (draws.louder_db[noisy & of_background] > 0).all()
    assert (draws.louder_db[~(noisy & of_background)] == 0).all()


def test_silence_stays_silent() -> None:
    clips = made_clips((*CLASSES, "no_signal-silence"))
    spec = by_parent({clip.class_paths[0] for clip in clips})
    drawn_from = Examples.of(clips, spec, TINY, ("noise", "no_signal"))
    settings = AugmentationSettings(background_share=1.0, noise_share=1.0)
    draws = BalancedSampler(drawn_from, 1, settings).draw(1, 400)
    silent = np.array([clips[clip].class_paths == ("no_signal-silence",) for clip in draws.clips])
    assert silent.any()
    assert (draws.backgrounds[silent] == -1).all()
    assert (draws.backgrounds[~silent] >= 0).all()
