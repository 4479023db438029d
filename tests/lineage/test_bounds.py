"""A class with very many clips costs as many questions, and as long an answer, as one with few."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import event, insert

from tests.labels.made import NOON
from tests.lineage.made import CROW, Lineages
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, Clip, DatasetVersion, Group

VERSION = "0123456789abcdef"
MOST_QUESTIONS = 20
MOST_S = 20.0  # far below on a machine with nothing else to do; what grows with the square takes minutes


def fill(site: Lineages, clips: int) -> None:
    """As many labelled clips, ten a group, and the version made of them; the manifest's columns made directly."""
    hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(clips)]
    columns: dict[str, Any] = {
        "clip_sha256": hashes,
        "class_path": [CROW] * clips,
        "verdict": ["present"] * clips,
        "side": ["train"] * clips,
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, metadata={"tidzam.dataset_version": VERSION}), sink)
    site.store.put_bytes("datasets/many.parquet", sink.getvalue())
    with site.catalog.session() as session:
        session.add(
            DatasetVersion(
                version=VERSION,
                store_key="datasets/many.parquet",
                clips=clips,
                made_at=NOON + timedelta(days=9),
            )
        )
        session.execute(
            insert(Group), [{"id": n + 1, "key": f"g{n}", "side": "train"} for n in range(clips // 10 + 1)]
        )
        session.execute(
            insert(Clip),
            [
                {
                    "id": n + 1, "sha256": one, "store_key": f"clips/{one}.flac", "codec": "flac", "rate_hz": 48_000,
                    "channels": 1, "seconds": 1.0, "group_id": n // 10 + 1, "added_at": NOON, "origin": {},
                }
                for n, one in enumerate(hashes)
            ],
        )  # fmt: skip
        session.execute(
            insert(Annotation),
            [
                {
                    "clip_id": n + 1, "class_path": CROW, "verdict": "present", "annotator": f"person {n % 500}",
                    "tool": "web", "made_at": NOON + timedelta(seconds=n),
                }
                for n in range(clips)
            ],
        )  # fmt: skip
    site.generation(selector=VERSION, birds=VERSION)


@contextmanager
def questions(catalog: Catalog) -> Iterator[list[str]]:
    """What the catalog is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    event.listen(catalog.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(catalog.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("many", [2_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_many_clips_are_answered_in_few_questions_and_few_words(site: Lineages, many: int) -> None:
    fill(site, many)
    site.why(clips=0)  # imports what is imported once
    begun = time.monotonic()
    with questions(site.catalog) as asked:
        found = site.why(clips=20)
    took_s = time.monotonic() - begun
    told = found.behind
    assert told is not None
    assert told.counts["train"]["present"] == told.looked_up == many, "counted in full"
    assert [one["clip"] for one in told.examples["present"]] == list(range(many, many - 20, -1))
    assert len(told.annotators["present"]) == 20
    assert (told.erased, told.corrected) == (0, 0)
    assert len(json.dumps(found.as_json())) < 20_000
    assert len(asked) < MOST_QUESTIONS
    assert took_s < MOST_S


def test_the_number_of_questions_is_that_of_few_clips(site: Lineages) -> None:
    fill(site, 30)
    with questions(site.catalog) as asked:
        site.why(clips=20)
    assert 5 < len(asked) < MOST_QUESTIONS
