"""Which side a key goes to: always the same one, in the right share, and steadily while shares grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.client import Route
from serving.client.routes import Target, point_of
from tidzam_platform.errors import SettingsError

KEYS = [f"marsh:out_{channel}@{frame}" for channel in range(1, 5) for frame in range(0, 600_000, 600)]
IN_SERVICE = (Target("stable"), Target())


def side_of(route: Route, key: str | bytes) -> str:
    return route.targets(point_of(key))[0].label


def test_a_route_of_one_choice_needs_no_key():
    for route, targets in [
        (Route.in_service(), IN_SERVICE),
        (Route.stable(), (Target("stable"),)),
        (Route.canary(), (Target("canary"),)),
        (Route.newest(), (Target(),)),
        (Route.version(7), (Target(version=7),)),
        (Route.share({"stable": 1.0}), IN_SERVICE),
        (Route.shadow(0), IN_SERVICE),
        (Route.shadow(1), IN_SERVICE),
    ]:
        assert not route.needs_key
        assert route.targets(0.0) == targets


def test_shares_are_kept_and_a_repeat_goes_the_same_way():
    route = Route.share({"stable": 0.9, "canary": 0.1})
    sides = [side_of(route, key) for key in KEYS]
    assert sides == [side_of(Route.share({"stable": 0.9, "canary": 0.1}), key) for key in KEYS]
    assert 0.08 < sides.count("canary") / len(sides) < 0.12
    shadowed = [Route.shadow(0.25).is_shadowed(point_of(key)) for key in KEYS]
    assert 0.22 < sum(shadowed) / len(shadowed) < 0.28


def test_points_are_those_of_the_documented_hash():
    """Other programs may compute them: they do not change."""
    assert point_of("marsh:out_2@2026-04-01T05:00:00.000Z") == point_of(
        b"marsh:out_2@2026-04-01T05:00:00.000Z"
    )
    assert point_of("") == pytest.approx(0xE4A6A0577479B2B4 / 2**64, abs=1e-15)


def test_what_is_not_there_leaves_its_share_to_what_is_in_service():
    route = Route.share({"canary": 1.0})
    assert route.targets(0.5) == (Target("canary"), *IN_SERVICE)


@given(key=st.one_of(st.text(), st.binary()))
def test_any_key_has_a_point_and_a_side(key):
    assert 0 <= point_of(key) < 1
    assert Route.share({"stable": 0.5, "canary": 0.5}).targets(point_of(key))


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=5).filter(lambda values: sum(values) > 0.01),
    point=st.floats(0, 1, exclude_max=True),
)
def test_every_point_has_a_side_and_none_goes_to_a_share_of_zero(shares, point):
    whole = sum(shares)
    named = {f"label_{number}": share / whole for number, share in enumerate(shares)}
    assert named[Route.share(named).targets(point)[0].label] > 0


@given(small=st.floats(0, 1), large=st.floats(0, 1), point=st.floats(0, 1, exclude_max=True))
def test_a_share_that_grows_keeps_the_keys_that_it_had(small, large, point):
    small, large = sorted((small, large))

    def side(share: float) -> str:
        return Route.share({"stable": 1 - share, "canary": share}).targets(point)[0].label

    if side(small) == "canary":
        assert side(large) == "canary"
    if Route.shadow(small).is_shadowed(point):
        assert Route.shadow(large).is_shadowed(point)


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"stable": 0.9},
        {"stable": 0.9, "canary": 0.2},
        {"stable": 1.1, "canary": -0.1},
        {"": 1.0},
        {"stable": float("nan"), "canary": 0.5},
    ],
)
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(SettingsError, match="share"):
        Route.share(shares)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_shadow_that_makes_no_sense_is_refused(share):
    with pytest.raises(SettingsError, match="from 0 to 1"):
        Route.shadow(share)


def test_versions_count_from_one():
    with pytest.raises(SettingsError, match="count from 1"):
        Route.version(0)
