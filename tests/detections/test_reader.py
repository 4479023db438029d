"""The union of catalog and files: every detection exactly once, in order, whatever the page's size."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.detections.made import NOON, heard, keep_in_files
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, LiveDetection
from tidzam_platform.detections import files, parquet_rows, reader
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.file_changes import merge_day
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.detections.query import DetectionQuery
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.detections.row_choice import any_chosen
from tidzam_platform.detections.row_groups import may_hold
from tidzam_platform.errors import ObjectNotFoundError, QueryDeadlineError, QueryError, StoreError
from tidzam_platform.labels.class_paths import is_within
from tidzam_platform.store import LocalStore, ObjectStore

HOURS = (-12, -11.5, 11.99, 12, 13, 36)  # around three midnights (UTC)
CLASSES = ("birds", "birds-crow", "birds_of_prey", "rain")
CHANNELS = ("marsh:out_1", "marsh:out_12", "Marsh:out_1", "river-2:out_1")
ON_ONE_CATALOG = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Heard:
    reader: DetectionReader
    all: dict[str, Detection]
    catalog: Catalog
    store: LocalStore
    keys: list[str]

    def __repr__(self) -> str:
        """Short, for Hypothesis's reports."""
        return f"{len(self.all)} detections"


@pytest.fixture
def site(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heard:
    """A hundred detections, many of which start together; some in the catalog, some in files, some in both."""
    monkeypatch.setattr(files, "_ROW_GROUP", 8)
    monkeypatch.setattr(parquet_rows, "BATCH_ROWS", 3)
    monkeypatch.setattr(reader, "_FILES", 3)
    draw = random.Random(3)  # noqa: S311 - no secret
    found = {
        one.id: one
        for one in (
            heard(
                draw.choice(HOURS) * 3600 + draw.randrange(4) * 0.5,
                channel=draw.choice(CHANNELS),
                class_path=draw.choice(CLASSES),
                score=draw.choice((0.25, 0.5, 0.75)),
                generation=draw.choice((1, 2)),
            )
            for _ in range(130)
        )
    }
    some = list(found.values())
    assert len(some) > 100
    store = LocalStore(tmp_path / "store")
    keys = keep_in_files(catalog, store, some[: len(some) // 2])
    LiveDetections(catalog).add(some[len(some) // 4 :])
    return Heard(DetectionReader(catalog, store), found, catalog, store, keys)


def expected(site: Heard, query: DetectionQuery) -> list[Detection]:
    """The plain statement of what a query answers."""

    def fits(one: Detection) -> bool:
        return (
            (query.since is None or one.start >= query.since)
            and (query.until is None or one.start < query.until)
            and (not query.channels or any(fnmatchcase(one.channel, each) for each in query.channels))
            and (
                not query.classes
                or any(
                    one.class_path == path if query.exact_classes else is_within(one.class_path, path)
                    for path in query.classes
                )
            )
            and query.score_from <= one.score <= query.score_to
            and (not query.generations or one.generation in query.generations)
        )

    return sorted(
        filter(fits, site.all.values()), key=lambda one: (one.start, one.id), reverse=query.newest_first
    )


def read(site: Heard, query: DetectionQuery, limit: int) -> list[Detection]:
    found: list[Detection] = []
    cursor = None
    while True:
        page = site.reader.page(query, limit=limit, cursor=cursor)
        assert len(page.detections) == limit or page.next_cursor is None
        found += page.detections
        if (cursor := page.next_cursor) is None:
            return found
        assert page.detections


QUERIES = st.builds(
    DetectionQuery,
    since=st.none() | st.sampled_from([NOON + timedelta(hours=hour) for hour in (-13, -11.5, 12)]),
    until=st.none() | st.sampled_from([NOON + timedelta(hours=hour) for hour in (12, 12.5, 36.0001, 99)]),
    channels=st.lists(
        st.sampled_from(["marsh:out_1", "marsh:out_?", "*", "*:out_1*", "?arsh:*", "river-2:*", "none:*"]),
        max_size=2,
    ).map(tuple),
    classes=st.lists(st.sampled_from([*CLASSES, "frogs"]), max_size=2).map(tuple),
    exact_classes=st.booleans(),
    score_from=st.sampled_from([0.0, 0.5]),
    score_to=st.sampled_from([0.5, 1.0]),
    generations=st.lists(st.sampled_from([1, 2, 3]), max_size=2).map(tuple),
    newest_first=st.booleans(),
)


@ON_ONE_CATALOG
@given(query=QUERIES, limit=st.sampled_from([1, 7, 50, 1000]))
def test_every_detection_comes_once_and_in_order(site: Heard, query: DetectionQuery, limit: int) -> None:
    wanted = expected(site, query)
    assert read(site, query, max(limit, 5) if len(wanted) > 60 else limit) == wanted


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_of_one_end_where_all_was_told(site: Heard, newest_first: bool) -> None:
    query = DetectionQuery(newest_first=newest_first, classes=("rain",), generations=(1,))
    assert len(expected(site, query)) > 5
    assert read(site, query, 1) == expected(site, query)


def test_all_is_every_page(site: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_PAGE", 17)
    assert list(site.reader.all(DetectionQuery())) == expected(site, DetectionQuery())


def test_what_comes_in_between_two_pages_is_found_behind_them(site: Heard) -> None:
    query = DetectionQuery()
    first = site.reader.page(query, limit=10)
    before, behind = heard(-13 * 3600), heard(37 * 3600)
    LiveDetections(site.catalog).add([before, behind])
    rest: list[Detection] = []
    cursor = first.next_cursor
    while cursor is not None:
        page = site.reader.page(query, limit=60, cursor=cursor)
        rest += page.detections
        cursor = page.next_cursor
    assert [*first.detections, *rest] == [*expected(site, query), behind]


def test_nothing_is_an_empty_page(catalog: Catalog, tmp_path: Path) -> None:
    page = DetectionReader(catalog, LocalStore(tmp_path)).page(DetectionQuery())
    assert (page.detections, page.next_cursor) == ((), None)


def test_a_wrong_limit_or_cursor_is_refused(site: Heard) -> None:
    with pytest.raises(QueryError):
        site.reader.page(DetectionQuery(), limit=0)
    with pytest.raises(QueryError):
        site.reader.page(DetectionQuery(), cursor="nonsense")


def test_a_score_is_found_by_the_number_that_people_read(catalog: Catalog, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    in_file, live = heard(0, score=0.9), heard(1, score=0.8999999761581421)  # 0.9 as float32
    keep_in_files(catalog, store, [in_file])
    LiveDetections(catalog).add([live])
    found = DetectionReader(catalog, store).page(DetectionQuery(score_from=0.9, score_to=0.9)).detections
    assert [one.id for one in found] == [in_file.id, live.id]


def test_only_days_and_sources_that_are_asked_for_are_opened(site: Heard) -> None:
    for key in site.keys:
        site.store.delete(key)
    far = DetectionQuery(since=NOON + timedelta(days=30))
    assert site.reader.page(far).detections == ()
    assert site.reader.page(DetectionQuery(channels=("pond:*",))).detections == ()
    with pytest.raises(ObjectNotFoundError):
        site.reader.page(DetectionQuery(channels=("marsh:*",)), limit=1000)


class Patience:
    """A deadline that is over once so many files were read; counts them."""

    def __init__(self, files_a_page: int) -> None:
        self.files_a_page = files_a_page
        self.left = files_a_page
        self.within_s: float | None = None

    def of(self, within_s: float | None) -> Patience:
        self.within_s = within_s
        self.left = self.files_a_page
        return self

    def is_over(self) -> bool:
        self.left -= 1
        return self.within_s is not None and self.left <= 0


@ON_ONE_CATALOG
@given(query=QUERIES, limit=st.sampled_from([7, 50, 1000]), files_a_page=st.integers(1, 4))
def test_pages_that_are_cut_short_tell_the_same_in_order(
    site: Heard, query: DetectionQuery, limit: int, files_a_page: int
) -> None:
    found: list[Detection] = []
    cursor = None
    patience = Patience(files_a_page)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reader, "Deadline", patience.of)
        for _ in range(300):
            try:
                page = site.reader.page(query, limit=limit, cursor=cursor, within_s=1.0)
            except QueryDeadlineError:
                patience.files_a_page += 1  # a day is more than that many files
                continue
            assert page.next_cursor is None or page.next_cursor != cursor
            assert not (page.is_incomplete and page.next_cursor is None)
            assert page.is_incomplete or len(page.detections) == limit or page.next_cursor is None
            found += page.detections
            if (cursor := page.next_cursor) is None:
                break
    assert cursor is None, "it comes to an end"
    assert found == expected(site, query)


def test_what_matches_nothing_goes_on_file_by_file(site: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def look(store: ObjectStore, key: str, *given: Any) -> bool:
        opened.append(key)
        return parquet_rows.offer_file(store, key, *given)

    monkeypatch.setattr(reader, "Deadline", Patience(1).of)
    monkeypatch.setattr(reader, "offer_file", look)
    for newest_first in (False, True):
        query = DetectionQuery(classes=("frogs",), newest_first=newest_first)
        pages, cursor = 0, None
        opened.clear()
        while cursor is not None or not pages:
            page = site.reader.page(query, cursor=cursor, within_s=1.0)
            pages, cursor = pages + 1, page.next_cursor
            assert page.detections == ()
            assert page.is_incomplete == (cursor is not None)
        assert sorted(opened) == sorted(site.keys), "each is opened once"
        assert pages == len(site.keys)


def test_a_day_that_takes_too_long_is_said(site: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "Deadline", Patience(1).of)
    with pytest.raises(QueryDeadlineError, match="name channels or a generation"):
        site.reader.page(DetectionQuery(), limit=1000, within_s=1.0)


def test_looking_for_an_id_ends_in_time_and_hints_help(site: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "Deadline", Patience(1).of)
    with pytest.raises(QueryDeadlineError, match="say when it starts, and on which channel"):
        site.reader.find("f" * 24, within_s=1.0)
    with site.catalog.session() as session:
        session.query(LiveDetection).delete()
    in_files = [one for key in site.keys for one in files.from_parquet(site.store.get_bytes(key))]
    monkeypatch.setattr(reader, "Deadline", Patience(3).of)  # two generations of a source and a day
    for one in in_files[::7]:
        assert site.reader.find(one.id, start=one.start, channel=one.channel, within_s=1.0) == one
        assert site.reader.find(one.id, channel="nowhere:out_1") == one, "a wrong hint does no harm"


@ON_ONE_CATALOG
@given(query=QUERIES)
def test_a_part_of_a_file_is_passed_over_only_where_nothing_fits(site: Heard, query: DetectionQuery) -> None:
    wanted = {one.id for one in expected(site, query)}
    for key in site.keys:
        with site.store.as_file(key) as path, parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                fits = not wanted.isdisjoint(rows.column("id").to_pylist())
                assert may_hold(file, group, query) or not fits
                assert any_chosen(rows, query) or not fits


def test_footers_spare_reading(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    path.write_bytes(files.to_parquet([heard(0, score=0.25), heard(60, score=0.5, class_path="birds-jay")]))
    later, earlier = NOON + timedelta(seconds=61), NOON
    with parquet.ParquetFile(path) as file:
        for none in (
            {"since": later}, {"until": earlier}, {"score_from": 0.6}, {"score_to": 0.2}, {"classes": ("rain",)},
            {"classes": ("birds",), "exact_classes": True}, {"classes": ("ants", "birds_of_prey")},
            {"channels": ("marsh:out_2",)}, {"channels": ("pond:*", "a*")}, {"classes": ("birds-crow-carrion",)},
        ):  # fmt: skip
            query = DetectionQuery(**none)
            assert not may_hold(file, 0, query) or not any_chosen(file.read_row_group(0), query), none
        assert not may_hold(file, 0, DetectionQuery(classes=("rain",), channels=("*",)))
        assert may_hold(file, 0, DetectionQuery(classes=("birds",), channels=("m*:out_?",), score_from=0.5))


def test_a_damaged_file_is_named(site: Heard) -> None:
    site.store.put_bytes(site.keys[0], b"no Parquet")
    with pytest.raises(StoreError, match="cannot be read") as caught:
        site.reader.page(DetectionQuery(), limit=1000)
    assert site.keys[0] in str(caught.value)


def test_a_detection_is_found_by_its_id_wherever_it_lies(site: Heard) -> None:
    for one in list(site.all.values())[::17]:
        assert site.reader.find(one.id) == one
        assert site.reader.find(one.id, start=one.start) == one
        assert site.reader.find(one.id, start=one.start - timedelta(days=9)) == one, (
            "a wrong hint does no harm"
        )
    assert site.reader.find("f" * 24) is None
    some = dict.fromkeys(list(site.all)[::5])
    assert site.reader.find_many({**some, "f" * 24: None}) == {
        identity: site.all[identity] for identity in some
    }


def test_the_label_of_a_detection_tells_which_file_holds_it(catalog: Catalog, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    first, second = heard(0), heard(24 * 3600)
    keys = keep_in_files(catalog, store, [first, second])
    with catalog.session() as session:
        session.add(
            Annotation(
                detection_id=first.id, channel=first.channel, start=first.start, end=first.end,
                class_path="birds", annotator="anna", tool="web", made_at=NOON,
            )
        )  # fmt: skip
    store.delete(keys[1])
    assert DetectionReader(catalog, store).find(first.id) == first


def test_a_file_holds_the_detections_of_its_day_alone(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not start on"):
        merge_day(catalog, LocalStore(tmp_path), 1, 1, NOON.date(), [heard(24 * 3600)])


def test_detections_survive_a_file(tmp_path: Path) -> None:
    some = [heard(second / 7, score=0.5) for second in range(50)]
    assert files.from_parquet(files.to_parquet(some)) == some
    assert files.to_parquet(some[::-1]) == files.to_parquet(some)
    assert replace(some[0], score=0.25) != some[0]
