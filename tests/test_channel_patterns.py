"""Patterns of channels are of whole names, and nothing in them is special but ``*`` and ``?``."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.channel_patterns import ChannelPatterns


@pytest.mark.parametrize(
    ("pattern", "channel", "expected"),
    [
        ("*", "marsh:out_1", True),
        ("marsh:out_1", "marsh:out_1", True),
        ("marsh:out_1", "marsh:out_12", False),
        ("marsh:out_1", "saltmarsh:out_1", False),
        ("marsh", "marsh:out_1", False),
        ("marsh:*", "marsh-2:out_1", False),
        ("marsh:*", "marsh:out_1", True),
        ("*:out_1", "pond:out_1", True),
        ("marsh:out_?", "marsh:out_7", True),
        ("marsh:out_?", "marsh:out_12", False),
        ("Marsh:*", "marsh:out_1", False),
        ("marsh:out_[12]", "marsh:out_1", False),
        ("marsh.out_1", "marsh:out_1", False),
        ("m*h:out_1", "mh:out_1", True),
    ],
)
def test_a_pattern_describes_the_whole_name(pattern: str, channel: str, expected: bool) -> None:
    assert ChannelPatterns([pattern]).match(channel) is expected


def test_one_of_several_is_enough_and_none_describes_nothing() -> None:
    patterns = ChannelPatterns(["pond:*", "marsh:out_2"])
    assert patterns.match("pond:out_9")
    assert patterns.match("marsh:out_2")
    assert not patterns.match("marsh:out_1")
    assert not ChannelPatterns([]).match("marsh:out_1")


@given(st.text("ab:_*?[]1", max_size=8), st.text("ab:_[]1", max_size=8))
def test_it_is_what_a_plain_search_says(pattern: str, name: str) -> None:
    def matches(left: str, right: str) -> bool:
        if not left:
            return not right
        if left[0] == "*":
            return matches(left[1:], right) or bool(right and matches(left, right[1:]))
        return bool(right) and left[0] in ("?", right[0]) and matches(left[1:], right[1:])

    assert ChannelPatterns([pattern]).match(name) is matches(pattern, name)
    assert ChannelPatterns([re.sub("[*?]", "", pattern)]).match(name) is (re.sub("[*?]", "", pattern) == name)
