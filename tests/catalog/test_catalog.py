"""What the catalog promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Group, Recording, Source
from tidzam_platform.errors import CatalogError, SettingsError

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def _recording(source: Source, **changes: object) -> Recording:
    values = {"path": "/archive/a.opus", "size_bytes": 1, "mtime_ns": 2, "start": NOON, "holes": [[1.5, 2.0]]}
    return Recording(source=source, **{**values, **changes})


def test_what_is_written_is_read_back(catalog: Catalog) -> None:
    with catalog.session() as session:
        session.add(_recording(Source(name="marsh"), mtime_ns=2**62, end=NOON + timedelta(seconds=0.25)))
    with catalog.reading() as session:
        row = session.scalars(select(Recording)).one()
    assert row.source.name == "marsh"
    assert row.source.time_zone == "UTC"
    assert row.mtime_ns == 2**62
    assert row.holes == [[1.5, 2.0]]
    assert (row.truncated, row.error) == (False, None)
    assert row.end == NOON + timedelta(seconds=0.25)


def test_times_come_back_aware_and_in_utc_whatever_zone_they_were_given_in(catalog: Catalog) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    with catalog.session() as session:
        session.add(_recording(Source(name="marsh"), start=NOON.astimezone(india)))
    with catalog.reading() as session:
        start = session.scalars(select(Recording.start)).one()
    assert start == NOON
    assert start.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(catalog: Catalog) -> None:
    with pytest.raises(StatementError, match="has no time zone"), catalog.session() as session:
        session.add(_recording(Source(name="marsh"), start=datetime(2026, 4, 1)))  # noqa: DTZ001
    with catalog.reading() as session:
        assert session.scalar(select(func.count()).select_from(Source)) == 0


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    def fail_midway() -> None:
        with catalog.session() as session:
            session.add(Source(name="marsh"))
            session.flush()
            raise KeyError("on purpose")

    with pytest.raises(KeyError):
        fail_midway()
    with catalog.reading() as session:
        assert session.scalars(select(Source)).all() == []


def test_names_of_sources_are_unique_and_recordings_need_a_source(catalog: Catalog) -> None:
    with pytest.raises(IntegrityError), catalog.session() as session:
        session.add_all([Source(name="marsh"), Source(name="marsh")])
    with pytest.raises(IntegrityError), catalog.session() as session:
        session.add(Recording(source_id=99, path="/a", size_bytes=1, mtime_ns=1, start=NOON))


def test_many_writers_lose_nothing(catalog_url: str) -> None:
    writers, transactions = 4, 15
    Catalog.open(catalog_url).close()

    def write(writer: int) -> None:
        own = Catalog.open(catalog_url)
        for number in range(transactions):
            with own.session() as session:
                session.add(Group(key=f"{writer}-{number}"))
        own.close()

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    catalog = Catalog.open(catalog_url)
    with catalog.reading() as session:
        assert session.scalar(select(func.count()).select_from(Group)) == writers * transactions
    catalog.close()


def test_a_reader_does_not_wait_for_a_writer_and_sees_only_what_is_committed(catalog: Catalog) -> None:
    answer: list[int | None] = []

    def count() -> None:
        with catalog.reading() as session:
            answer.append(session.scalar(select(func.count()).select_from(Source)))

    with catalog.session() as session:
        session.add(Source(name="marsh"))
        session.flush()
        reader = threading.Thread(target=count, daemon=True)
        reader.start()
        reader.join(5)
        assert answer == [0]
    count()
    assert answer == [0, 1]


def test_processes_that_open_a_new_catalog_at_once_all_find_it_whole(catalog_url: str) -> None:
    program = "import sys; from tidzam_platform.catalog import Catalog; Catalog.open(sys.argv[1]).close()"
    openers = [
        subprocess.Popen([sys.executable, "-c", program, catalog_url], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outcomes = [(opener.communicate(timeout=60)[1], opener.returncode) for opener in openers]
    assert [code for _, code in outcomes] == [0, 0, 0], outcomes
    catalog = Catalog.open(catalog_url)
    with catalog.reading() as session:
        assert session.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
    catalog.close()


def test_a_process_killed_within_a_transaction_leaves_nothing_and_no_lock(catalog_url: str) -> None:
    program = """
import os, signal, sys
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Source
with Catalog.open(sys.argv[1]).session() as session:
    session.add(Source(name="marsh"))
    session.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program, catalog_url], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    catalog = Catalog.open(catalog_url)
    with catalog.session() as session:
        assert session.scalars(select(Source)).all() == []
        session.add(Source(name="marsh"))
    catalog.close()


def test_a_schema_newer_than_this_program_is_refused(catalog_url: str) -> None:
    catalog = Catalog.open(catalog_url)
    with catalog.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    catalog.close()
    with pytest.raises(CatalogError, match="newer version"):
        Catalog.open(catalog_url)


@pytest.mark.parametrize(
    "url",
    ["nonsense", "nonsense://host/name", "://", "mysql://host/name", "postgresql://u:hunter2@host:port/name"],
)
def test_a_wrong_url_is_a_wrong_setting_and_what_is_supported_is_said(url: str) -> None:
    with pytest.raises(SettingsError, match=r"sqlite:///path or postgresql://") as caught:
        Catalog.open(url)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_cannot_be_made_is_a_typed_error() -> None:
    with pytest.raises(CatalogError, match="cannot be opened"):
        Catalog.open("sqlite:////proc/no/such/catalog.db")


def test_a_server_that_does_not_answer_is_a_typed_error_without_the_password() -> None:
    with pytest.raises(CatalogError) as caught:
        Catalog.open("postgresql://tidzam:hunter2@127.0.0.1:1/tidzam")
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_opening_a_catalog_that_is_up_to_date_loads_no_migration_tool(catalog_url: str) -> None:
    Catalog.open(catalog_url).close()
    program = (
        "import sys; from tidzam_platform.catalog import Catalog; Catalog.open(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, catalog_url], timeout=60, check=False, env=os.environ
    )
    assert run.returncode == 0
