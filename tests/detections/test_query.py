"""Queries that make no sense are refused; cursors and patterns mean what they say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.classifiers.evaluation.untimed import untimed
from tests.detections.made import NOON, heard
from tidzam_platform.channel_patterns import MAX_STARS, is_wild, regex_of, valid_channel_pattern
from tidzam_platform.detections.channel_conditions import may_be_of
from tidzam_platform.detections.query import MAX_PAGE, DetectionQuery, Position, valid_limit
from tidzam_platform.detections.selection import Selection
from tidzam_platform.errors import InvalidNameError, QueryError

LETTERS = "ab1_-"
SOURCES = st.text(LETTERS, min_size=1, max_size=4).filter(lambda name: name[0] in "ab1")
CHANNELS = st.builds(lambda source, number: f"{source}:out_{number}", SOURCES, st.integers(1, 30))
PATTERNS = st.text("ab1_-:*?out", min_size=1, max_size=8).filter(
    lambda pattern: is_wild(pattern) and pattern.count("*") <= MAX_STARS
)


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"since": datetime(2026, 4, 1)}, "no time zone"),  # noqa: DTZ001
        ({"until": datetime(2026, 4, 1)}, "no time zone"),  # noqa: DTZ001
        ({"since": NOON, "until": NOON - timedelta(seconds=1)}, "lies after"),
        ({"score_from": 0.6, "score_to": 0.3}, "ascending"),
        ({"score_from": -0.1}, "from 0 to 1"),
        ({"score_to": float("nan")}, "from 0 to 1"),
        ({"generations": tuple(range(1, 200))}, "too many"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(given_: dict[str, Any], says: str) -> None:
    with pytest.raises(QueryError, match=says):
        DetectionQuery(**given_)


@pytest.mark.parametrize("pattern", ["", "marsh out", "marsh:[ab]", "../x", "a" * 256, "m%", "é*"])
def test_a_pattern_that_no_channel_can_match_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidNameError, match="no pattern"):
        DetectionQuery(channels=(pattern,))


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidNameError):
        DetectionQuery(classes=("Birds!",))


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
def test_a_page_has_a_size(limit: int) -> None:
    with pytest.raises(QueryError, match="1 to"):
        valid_limit(limit)


@untimed
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.text("0123456789abcdef", min_size=1, max_size=64),
)
def test_a_cursor_is_read_back(start: datetime, identity: str) -> None:
    cursor = Position(start, identity).cursor
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor), "it can stand in a URL as it is"
    assert Position.from_cursor(cursor) == Position(start, identity)


def test_a_cursor_does_not_depend_on_the_zone() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert Position(NOON.astimezone(india), "a").cursor == Position(NOON, "a").cursor


@untimed
@given(st.text(max_size=300))
@example("")
@example("MTIzNA")  # "1234": no id
@example("OTk5OTk5OTk5OTk5OTk5OTk5OTkuYQ")  # far beyond the last year
def test_anything_else_is_no_cursor(text: str) -> None:
    try:
        position = Position.from_cursor(text)
    except QueryError:
        return
    assert Position.from_cursor(position.cursor) == position


@untimed
@given(PATTERNS, CHANNELS)
@example("mar?h:out_1", "marsh:out_1")
def test_patterns_are_those_of_the_shell_without_brackets(pattern: str, channel: str) -> None:
    assert bool(re.match(regex_of((valid_channel_pattern(pattern),)), channel)) == fnmatchcase(
        channel, pattern
    )


@untimed
@given(PATTERNS, CHANNELS)
def test_a_source_is_never_passed_over_whose_channel_matches(pattern: str, channel: str) -> None:
    if fnmatchcase(channel, pattern):
        assert may_be_of((pattern,), channel.partition(":")[0])


def test_a_source_is_passed_over_where_no_channel_can_match() -> None:
    assert not may_be_of(("marsh:*", "river:out_1"), "pond")
    assert may_be_of(("marsh:*", "*"), "pond")
    assert may_be_of((), "pond")


@untimed
@given(
    st.lists(st.lists(st.integers(0, 12), max_size=12), max_size=8),
    st.integers(1, 8),
    st.booleans(),
)
def test_a_selection_is_the_beginning_of_all_in_order_and_small(
    offers: list[list[int]], size: int, newest_first: bool
) -> None:
    selection = Selection(size, newest_first=newest_first)
    for seconds in offers:
        selection.offer(heard(second // 2, channel=f"marsh:out_{second % 2 + 1}") for second in seconds)
        assert len(selection._kept) <= 2 * size
    everything = {
        one.id: one
        for seconds in offers
        for one in (heard(second // 2, channel=f"marsh:out_{second % 2 + 1}") for second in seconds)
    }
    ordered = sorted(everything.values(), key=lambda one: (one.start, one.id), reverse=newest_first)
    assert selection.result() == ordered[:size]
