"""Which frames belong into which file."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.recording.file_spans import is_jump, span_from
from streamer.engine.rings import Anchor, utc_ns_after
from tests.streamer.recording.made import NOON_NS, RATE_HZ

_anchors = st.builds(Anchor, frame=st.integers(0, 10**12), utc_ns=st.integers(10**17, 4 * 10**18))


@given(
    anchor=_anchors,
    ahead=st.integers(0, 10**12),
    file_s=st.integers(1, 86_400),
    rate_hz=st.sampled_from([8000, 44_100, 48_000]),
)
def test_files_follow_each_other_at_whole_multiples_of_their_length(
    anchor: Anchor, ahead: int, file_s: int, rate_hz: int
) -> None:
    file_ns = file_s * 10**9
    span = span_from(anchor, anchor.frame + ahead, file_s=file_s, rate_hz=rate_hz)
    boundary_ns = (span.start_ns // file_ns + 1) * file_ns
    # The last frame lies before the boundary, the next file's first one at it or less than a frame after.
    assert span.end_frame > span.first_frame
    assert (
        utc_ns_after(anchor, span.end_frame - 1, rate_hz)
        < boundary_ns
        <= utc_ns_after(anchor, span.end_frame, rate_hz)
    )
    following = span_from(anchor, span.end_frame, file_s=file_s, rate_hz=rate_hz)
    assert following.first_frame == span.end_frame
    assert following.start_ns // file_ns == boundary_ns // file_ns
    assert abs(following.end_frame - following.first_frame - file_s * rate_hz) <= 1


def test_a_file_is_named_by_the_clock_of_its_zone_cut_to_the_second() -> None:
    span = span_from(Anchor(0, NOON_NS + 999_999_999), 0, file_s=60, rate_hz=RATE_HZ)
    assert span.local_time(ZoneInfo("UTC")) == datetime(2026, 4, 1, 12, 0, 0)  # noqa: DTZ001 - a wall clock
    assert span.local_time(ZoneInfo("Europe/Paris")) == datetime(2026, 4, 1, 14, 0, 0)  # noqa: DTZ001
    assert span.tags("marsh") == {
        "TIDZAM_SOURCE": "marsh",
        "TIDZAM_START": "2026-04-01T12:00:00.999999999Z",
        "TIDZAM_FRAME": "0",
        "TIDZAM_ANCHOR_FRAME": "0",
        "TIDZAM_ANCHOR_UTC": "2026-04-01T12:00:00.999999999Z",
    }


@given(anchor=_anchors, ahead=st.integers(0, 10**9), off_ms=st.integers(-3_600_000, 3_600_000))
def test_an_anchor_that_says_what_was_known_is_no_jump(anchor: Anchor, ahead: int, off_ms: int) -> None:
    expected_ns = utc_ns_after(anchor, anchor.frame + ahead, RATE_HZ)
    other = Anchor(anchor.frame + ahead, expected_ns + off_ms * 10**6)
    assert is_jump(anchor, other, RATE_HZ) == (abs(off_ms) > 10)
