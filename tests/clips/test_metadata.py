"""What is inside a clip is read back as it was written, and nothing else is taken for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clips.made import metadata
from tidzam_platform.clips.metadata import MAX_SCORES, ClipMetadata
from tidzam_platform.errors import DecodingError

PATHS = st.lists(st.sampled_from(["birds", "robin", "crow_2", "rain"]), min_size=1, max_size=4).map("-".join)
UNIT = st.floats(0, 1).map(lambda value: round(value, 4))


def read_back(about: ClipMetadata) -> ClipMetadata:
    return ClipMetadata.from_comments({key.lower(): value for key, value in about.to_comments().items()})


@given(
    st.integers(0, 4_000_000_000_000_000_000),
    PATHS,
    UNIT,
    st.dictionaries(PATHS, UNIT, max_size=20),
    st.integers(1, 10**9),
    st.none() | PATHS,
)
def test_it_is_read_back_as_it_was_written(
    start_utc_ns: int,
    class_path: str,
    score: float,
    scores: dict[str, float],
    rule_id: int,
    canary: str | None,
) -> None:
    about = replace(
        metadata(class_path),
        start_utc_ns=start_utc_ns,
        score=score,
        scores=scores,
        rule_id=rule_id,
        canary=canary,
    )
    assert read_back(about) == about


def test_of_many_classes_the_best_are_written() -> None:
    scores = {f"birds-{'long_name_' * 10}{number}": number / 1000 for number in range(600)}
    kept = read_back(replace(metadata(), scores=scores)).scores
    assert 50 < len(kept) <= MAX_SCORES
    assert min(kept.values()) > max(value for path, value in scores.items() if path not in kept)


def test_the_time_is_exact() -> None:
    about = replace(metadata(), start_utc_ns=1_775_044_800_123_456_789)
    assert about.to_comments()["TIDZAM_START"] == "2026-04-01T12:00:00.123456789Z"
    assert about.start == datetime(2026, 4, 1, 12, 0, 0, 123_456, UTC)


@given(
    st.dictionaries(
        st.sampled_from([key.lower() for key in metadata().to_comments()]), st.text(max_size=20), max_size=12
    )
)
def test_other_comments_are_refused(others: dict[str, str]) -> None:
    with pytest.raises(DecodingError):
        ClipMetadata.from_comments(others)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("tidzam_channel", "../marsh:out_1"),
        ("tidzam_destination", "../x"),
        ("tidzam_class", "Birds/x"),
        ("tidzam_score", "nan"),
        ("tidzam_start", "yesterday"),
        ("tidzam_scores", "[]"),
        ("tidzam_rule", "one"),
        ("tidzam_window", "1"),
    ],
)
def test_one_wrong_comment_is_enough(tag: str, value: str) -> None:
    comments = {key.lower(): text for key, text in metadata().to_comments().items()}
    with pytest.raises(DecodingError):
        ClipMetadata.from_comments({**comments, tag: value})
