"""The live tail: stored once however often it is told, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from tests.detections.made import heard
from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections


def test_what_is_stored_is_read_back(catalog: Catalog) -> None:
    live = LiveDetections(catalog)
    one = heard(0.123456, score=0.8999999761581421)
    assert live.add([one]) == 1
    assert live.newest() == [one]


def test_the_same_detection_is_stored_once(catalog: Catalog) -> None:
    live = LiveDetections(catalog)
    some = [heard(second) for second in range(5)]
    assert live.add([*some, *some[:2]]) == 5
    assert live.add(some) == 0
    assert live.add([*some, heard(5)]) == 1
    assert live.count() == 6
    assert live.add([]) == 0


def test_more_than_one_statement_holds(catalog: Catalog) -> None:
    live = LiveDetections(catalog)
    many = [heard(second) for second in range(2500)]
    live.add(many[:10])
    assert live.add(many) == 2490
    assert live.newest(3) == many[:-4:-1]


def test_a_batch_is_stored_whole_or_not_at_all(catalog: Catalog) -> None:
    live = LiveDetections(catalog)
    good = [heard(second) for second in range(1500)]
    wrong = Detection(**{**vars(heard(-1)), "channel": None})
    with pytest.raises((IntegrityError, SQLAlchemyError)):
        live.add([*good, wrong])
    assert live.count() == 0


def test_many_writers_of_the_same_detections_store_each_once(catalog: Catalog) -> None:
    live = LiveDetections(catalog)
    some = [heard(second) for second in range(40)]
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(live.add, [some, some[::-1], some[10:], some[:30]]))
    assert sum(added) == live.count() == 40
