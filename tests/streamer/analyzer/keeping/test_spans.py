"""Where a clip lies, and which windows it touches, beside plain statements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.keeping.heard_windows import HeardWindows, Verdict
from streamer.analyzer.keeping.spans import Span, centred, window_span, windows_in_and_beside
from streamer.analyzer.windows import Geometry, WindowKey
from tests.streamer.analyzer.keeping.made import NOON_NS, run

GEOMETRIES = st.builds(
    Geometry, st.sampled_from([16_000, 22_050, 24_000, 48_000]), st.integers(100, 5000), st.integers(10, 6000)
)
SPANS = st.tuples(st.integers(0, 50_000), st.integers(1, 30_000)).map(lambda one: Span(one[0], sum(one)))


@given(SPANS, GEOMETRIES)
def test_windows_in_and_beside_are_those_that_share_audio_and_their_neighbours(
    span: Span, geometry: Geometry
) -> None:
    window, hop = geometry.window_frames, geometry.hop_frames
    touching = [
        number
        for number in range(span.end // hop + 2)
        if number * hop < span.end and number * hop + window > span.begin
    ]
    found = list(windows_in_and_beside(span, geometry))
    if touching:
        assert found == list(range(max(0, touching[0] - 1), touching[-1] + 2))
    assert set(touching) <= set(found)


@given(GEOMETRIES, st.integers(0, 100), st.floats(0.5, 60))
def test_the_window_is_in_the_middle_unless_the_run_began_just_before(
    geometry: Geometry, number: int, length_s: float
) -> None:
    key = WindowKey(run(geometry=geometry), 1, number * geometry.hop_frames, 0.0)
    window, span = window_span(key), centred(key, length_s)
    assert span.frames == round(length_s * geometry.rate_hz)
    assert span.begin >= 0
    if span.begin > 0:
        assert abs((span.begin + span.end) - (window.begin + window.end)) <= 1


def test_a_span_knows_when_it_was() -> None:
    at_16_khz = run(geometry=Geometry(16_000, 16_000, 8_000))
    assert Span(24_000, 48_000).start_utc_ns(at_16_khz) == NOON_NS + 1_500_000_000
    assert Span(24_000, 48_000).start_utc_ns(run()) == NOON_NS + 500_000_000


def note(
    heard: HeardWindows, number: int, *, forbidden: bool = False, geometry: Geometry | None = None
) -> None:
    of = run() if geometry is None else run(geometry=geometry)
    heard.note(WindowKey(of, 1, number * of.geometry.hop_frames, 0.0), forbidden)


def test_all_windows_of_a_span_must_be_known_and_clear() -> None:
    heard, span = HeardWindows(60), Span(96_000, 192_000)  # windows 3 to 7 touch it, 2 and 8 are beside it
    for number in (2, 3, 4, 5, 6, 7):
        note(heard, number)
        assert heard.verdict(run(), 1, span) is Verdict.UNKNOWN
    note(heard, 8)
    assert heard.verdict(run(), 1, span) is Verdict.CLEAR
    assert heard.verdict(run(), 2, span) is Verdict.UNKNOWN
    note(heard, 9, forbidden=True)
    assert heard.verdict(run(), 1, span) is Verdict.CLEAR
    note(heard, 8, forbidden=True)
    assert heard.verdict(run(), 1, span) is Verdict.FORBIDDEN
    note(heard, 8)  # heard again, by another generation: what was heard once stays heard
    assert heard.verdict(run(), 1, span) is Verdict.FORBIDDEN


def test_where_windows_leave_gaps_nothing_is_clear() -> None:
    gaps = Geometry(48_000, 24_000, 48_000)
    heard = HeardWindows(60)
    for number in range(10):
        note(heard, number, geometry=gaps)
    assert heard.verdict(run(geometry=gaps), 1, Span(96_000, 120_000)) is Verdict.UNKNOWN


def test_only_the_last_windows_are_remembered() -> None:
    heard = HeardWindows(10)
    for number in range(5000):
        note(heard, number)
    assert len(heard._runs[run(), 1]) <= 42 + 1
    assert heard.verdict(run(), 1, Span(4990 * 24_000, 4995 * 24_000)) is Verdict.CLEAR
    for later_s in range(10_000):
        heard.note(WindowKey(run(later_s=later_s), 1, 0, 0.0), False)
    assert len(heard._runs) <= 8192
