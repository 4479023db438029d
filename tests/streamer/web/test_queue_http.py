"""The queue of what to label next, over HTTP."""

from __future__ import annotations

import pytest

from tests.streamer.web.web_process import WebProcess
from tests.support.fake_engine import FakeEngine
from tidzam_platform.catalog.tables import DatasetVersion, Generation, LabelQueueItem
from tidzam_platform.clock import parse_utc, utc_now
from tidzam_platform.home import Home

PATH = "/api/v1/queue"
FIGURES = {"uncertainty": 0.5, "disagreement": 0.25, "need": 1.0, "novelty": 0.75, "value": 0.3}


@pytest.fixture
def queue(library: Home, engine: FakeEngine) -> Home:
    """Two generations; the newer has three stretches of the archive in its queue."""
    now = utc_now()
    with library.catalog.session() as session:
        session.add(DatasetVersion(version="d", store_key="d", clips=1, made_at=now))
        session.flush()
        for number in (1, 2):
            session.add(
                Generation(
                    number=number, fingerprint=str(number), dataset_version="d", state="exported", made_at=now
                )
            )
        session.flush()
        for generation, rank in ((1, 1), (2, 1), (2, 2), (2, 3)):
            start = parse_utc(f"2026-04-01T05:00:{10 * rank:02d}Z")
            session.add(
                LabelQueueItem(
                    generation=generation,
                    item=f"marsh:out_1@{rank}",
                    rank=rank,
                    channel="marsh:out_1",
                    start=start,
                    end=start.replace(second=start.second + 2),
                    class_path="birds",
                    score=0.4,
                    figures=FIGURES,
                    made_at=now,
                )
            )
    return library


def test_the_newest_queue_is_told_in_order(web: WebProcess, queue: Home) -> None:
    told = web.request("GET", PATH)
    assert told.status == 200, told.body
    assert told.body["generation"] == 2
    assert [item["rank"] for item in told.body["items"]] == [1, 2, 3]
    first = told.body["items"][0]
    assert first["start"].startswith("2026-04-01T05:00:10")
    assert first["seconds"] == 2
    assert {name: first[name] for name in FIGURES} == FIGURES
    shorter = web.request("GET", f"{PATH}?limit=1&generation=1")
    assert (shorter.body["generation"], len(shorter.body["items"])) == (1, 1)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "generation=0", "order=newest"])
def test_what_makes_no_sense_is_refused(web: WebProcess, engine: FakeEngine, query: str) -> None:
    assert web.request("GET", f"{PATH}?{query}").status == 400


def test_without_a_queue_there_is_nothing_to_label(
    web: WebProcess, library: Home, engine: FakeEngine
) -> None:
    told = web.request("GET", PATH)
    assert (told.status, told.body) == (200, {"generation": None, "items": []})
