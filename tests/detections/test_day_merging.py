"""A day made anew: what was heard again is replaced, the rest stays; the order of parts does not matter."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detections.made import NOON, heard, keep_in_files
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DetectionFile
from tidzam_platform.detections.day_merging import _merged, _rows_of, remake_day
from tidzam_platform.detections.file_changes import key_of
from tidzam_platform.detections.files import from_parquet, parquet_bytes, to_parquet
from tidzam_platform.errors import ObjectNotFoundError, StoreError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

DAY = NOON.date()
KEY = key_of(1, 1, DAY)
FIRST_MINUTE = [(NOON, NOON + timedelta(seconds=60))]


@pytest.fixture
def opened(home: Settings):
    made = Home.open(home)
    yield made
    made.catalog.close()


def remake(opened: Home, *parts: bytes) -> Counter[str]:
    given_parts = [partial(bytes, part) for part in parts]
    data, counts = remake_day(opened.catalog, opened.store, 1, 1, DAY, given_parts, FIRST_MINUTE)
    assert opened.store.get_bytes(KEY) == data
    return counts


def rows(catalog: Catalog) -> int:
    with catalog.reading() as session:
        return session.query(DetectionFile).filter_by(store_key=KEY).one().detections


def test_what_was_heard_where_nothing_is_heard_now_stays(opened: Home) -> None:
    before, replaced, after = heard(-1), heard(10, class_path="rain"), heard(60)
    keep_in_files(opened.catalog, opened.store, [before, replaced, after])
    new = heard(20, score=0.5)
    assert remake(opened, to_parquet([new])) == {"birds-crow": 3}
    assert from_parquet(opened.store.get_bytes(KEY)) == [before, new, after]
    once = opened.store.get_bytes(KEY)
    remake(opened, to_parquet([new]))
    assert opened.store.get_bytes(KEY) == once
    assert rows(opened.catalog) == 3


@pytest.mark.parametrize("damage", ["lost", "damaged", "other columns"])
def test_an_old_file_that_cannot_be_read_is_mended(
    opened: Home, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    keep_in_files(opened.catalog, opened.store, [heard(10)])
    if damage == "lost":
        opened.store.delete(KEY)
    elif damage == "damaged":
        opened.store.put_bytes(KEY, b"no parquet")
    else:
        opened.store.put_bytes(KEY, parquet_bytes(pa.table({"sound": ["crow"]})))
    assert remake(opened, to_parquet([heard(20)])) == {"birds-crow": 1}
    assert ("is damaged" in caplog.text) == (damage != "lost")


def test_a_store_that_cannot_be_read_just_now_loses_nothing(opened: Home) -> None:
    keep_in_files(opened.catalog, opened.store, [heard(-1)])
    old = opened.store.get_bytes(KEY)
    file = opened.settings.store_folder / KEY
    moved = file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.name)  # the system gives up looking for it
    with pytest.raises(StoreError, match="cannot be read"):
        remake_day(opened.catalog, opened.store, 1, 1, DAY, [lambda: to_parquet([heard(20)])], FIRST_MINUTE)
    moved.replace(file)
    assert opened.store.get_bytes(KEY) == old


def test_who_pages_through_the_day_looks_into_the_file_again(opened: Home) -> None:
    keep_in_files(opened.catalog, opened.store, [heard(10), heard(channel="river:out_1")])
    with opened.catalog.reading() as session:
        highest = max(row.id for row in session.query(DetectionFile))
    remake(opened, to_parquet([heard(20)]))
    with opened.catalog.reading() as session:
        assert session.query(DetectionFile).filter_by(store_key=KEY).one().id > highest


def test_detections_of_other_days_are_left_out(opened: Home) -> None:
    keep_in_files(opened.catalog, opened.store, [heard(10)])
    part = to_parquet([heard(30), heard(12 * 3600), heard(-12 * 3600 - 1)])
    assert remake(opened, part) == {"birds-crow": 1}


def test_a_part_that_is_gone_leaves_the_day_as_it_was(opened: Home) -> None:
    keep_in_files(opened.catalog, opened.store, [heard(10)])
    old = opened.store.get_bytes(KEY)
    with pytest.raises(ObjectNotFoundError):
        remake_day(
            opened.catalog, opened.store, 1, 1, DAY, [partial(opened.store.get_bytes, "none")], FIRST_MINUTE
        )
    assert opened.store.get_bytes(KEY) == old


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 30), max_size=6), min_size=1, max_size=5), st.randoms())
def test_the_order_of_parts_does_not_matter_and_copies_count_once(numbers: list[list[int]], draw) -> None:
    parts = [to_parquet([heard(one) for one in set(part)]) for part in numbers]
    shuffled = draw.sample(parts, len(parts))
    merged = parquet_bytes(_merged([_rows_of(part, DAY) for part in parts]))
    assert merged == parquet_bytes(_merged([_rows_of(part, DAY) for part in shuffled]))
    everything = sorted({one for part in numbers for one in part})
    assert from_parquet(merged) == [heard(one) for one in everything]
    assert merged == to_parquet([heard(one) for one in everything])
