"""What the settings let go goes, nothing else, and a kill in between costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.retention.made import ALL_SET, NOW, fill
from tests.support.crash import run_and_crash
from tests.support.in_process import run_here
from tests.support.small_site import last_line
from tidzam_platform.catalog.tables import (
    Annotation,
    AuditEntry,
    Clip,
    DetectionFile,
    LiveDetection,
    Recording,
    ShadowDisagreement,
    ShadowHour,
)
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import StoreError
from tidzam_platform.home import Home
from tidzam_platform.retention import recordings, run
from tidzam_platform.retention.policy import Work
from tidzam_platform.settings import Settings, load_settings


@pytest.fixture
def everything_ends(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that keep everything for 30 days."""
    for name, value in ALL_SET.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def _holdings(home: Home) -> dict[str, Any]:
    """All that there is."""
    folder = home.settings.home
    with home.catalog.reading() as session:
        rows = {
            table.__tablename__: session.scalar(select(func.count()).select_from(table))
            for table in (Clip, Recording, LiveDetection, DetectionFile, ShadowHour, ShadowDisagreement)
        }
    return {
        **rows,
        "objects": list(home.store.keys()),
        "files": sorted(
            path.name for part in ("archive", "nas", "logs") for path in (folder / part).glob("*")
        ),
    }


def test_by_default_everything_is_kept_for_ever(home: Settings) -> None:
    opened, _ = fill(home)
    before = _holdings(opened)
    assert run(opened, apply=True, now=NOW).outcomes == ()
    assert _holdings(opened) == before
    opened.catalog.close()


def test_without_apply_nothing_changes_and_the_same_is_told(everything_ends: Settings) -> None:
    opened, _ = fill(everything_ends)
    before = _holdings(opened)
    planned = run(opened, now=NOW)
    assert _holdings(opened) == before
    done = run(opened, apply=True, now=NOW)
    assert [(one.kind, one.items, one.size_bytes) for one in planned.outcomes] == [
        (one.kind, one.items, one.size_bytes) for one in done.outcomes
    ]
    with opened.catalog.reading() as session:
        entries = session.scalars(select(AuditEntry)).all()
    assert {entry.details["kind"]: entry.details["items"] for entry in entries} == {
        one.kind: one.items for one in done.outcomes if one.items and not one.moves
    }
    assert {entry.action for entry in entries} == {"retention.remove"}
    opened.catalog.close()


def test_what_is_old_goes_and_what_somebody_needs_stays(everything_ends: Settings) -> None:
    opened, clips = fill(everything_ends)
    report = run(opened, apply=True, now=NOW)
    told = {one.kind: one for one in report.outcomes}
    with opened.catalog.reading() as session:
        left = set(session.scalars(select(Clip.id)))
        keys = set(session.scalars(select(Clip.store_key)))
        assert session.scalars(select(LiveDetection)).all() == []
        assert session.scalar(select(func.count()).select_from(ShadowHour)) == 0
        assert session.scalar(select(func.count()).select_from(ShadowDisagreement)) == 1
        recordings = [Path(path).name for path in session.scalars(select(Recording.path))]
    assert left == {clips[name] for name in ("labelled", "in_version", "queued", "young")}
    assert {key for key in opened.store.keys() if key.startswith("clips/")} == keys  # noqa: SIM118
    assert sorted(told["unlabelled clips"].kept) == [
        "a dataset version or test set names it",
        "it is queued for labelling",
    ]
    assert sorted(recordings) == ["marsh-2026-04-01-06-00-00.opus", "marsh-2026-04-01-07-00-00.opus"]
    assert not (everything_ends.archive_folder / "marsh-2026-04-01-05-00-00.opus").exists()
    assert (everything_ends.home / "nas" / "marsh-2026-04-01-07-00-00.opus").exists()
    assert told["live detections"].items == 2
    assert told["detections of old generations"].items == 1
    assert list(told["detections of old generations"].kept.values()) == [1]
    assert [path.name for path in everything_ends.logs_folder.iterdir()] == ["new.log"]
    again = run(opened, apply=True, now=NOW)
    assert again.items == 0
    opened.catalog.close()


def test_a_label_that_comes_at_the_last_moment_keeps_its_recording(
    everything_ends: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, _ = fill(everything_ends)
    look = recordings._labelled_meanwhile

    def label_and_look(work: Work, number: int) -> bool:
        with opened.catalog.session() as session:
            said = Annotation(
                recording_id=number, class_path="rain", annotator="ann", tool="test", made_at=NOW
            )
            session.add(said)
        return look(work, number)

    monkeypatch.setattr(recordings, "_labelled_meanwhile", label_and_look)
    report = run(opened, apply=True, now=NOW)
    (told,) = [one for one in report.outcomes if one.kind == "recordings"]
    assert told.items == 0
    assert (everything_ends.archive_folder / "marsh-2026-04-01-05-00-00.opus").exists()
    opened.catalog.close()


def test_nothing_goes_where_nobody_knows_what_is_needed(everything_ends: Settings) -> None:
    opened, _ = fill(everything_ends)
    opened.store.delete("manifests/one.parquet")
    before = _holdings(opened)
    with pytest.raises(StoreError):
        run(opened, apply=True, now=NOW)
    assert _holdings(opened) == before
    opened.catalog.close()


POINTS = (
    "retention.recording_file",
    "retention.clip_row",
    "detections.archived",
    *(
        pytest.param(name, marks=pytest.mark.long)
        for name in (
            "retention.recording_row",
            "retention.clips_noted",
            "retention.clip_row:2",
            "retention.clip_objects",
            "retention.shadow",
            "retention.log",
            "retention.detections_row",
        )
    ),
)


@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_was_killed_is_completed_by_the_next_one(everything_ends: Settings, point: str) -> None:
    opened, clips = fill(everything_ends)
    with opened.catalog.session() as session:  # the process counts from its own clock
        session.get_one(Clip, clips["young"]).added_at = utc_now()
    (everything_ends.logs_folder / "new.log").touch()
    run_and_crash(["retention", "--apply"], point, everything_ends.home, env=ALL_SET)
    done = run_here(["retention", "--apply", "--json"], everything_ends.home, env=ALL_SET)
    assert done.returncode == 0, done.stderr
    assert last_line(done.stdout)["applied"]
    with opened.catalog.reading() as session:
        assert set(session.scalars(select(Clip.id))) == {
            clips[name] for name in ("labelled", "in_version", "queued", "young")
        }
        named = set(session.scalars(select(Clip.store_key))) | set(
            session.scalars(select(DetectionFile.store_key))
        )
        entries = session.scalars(select(AuditEntry)).all()
    stored = {key for key in opened.store.keys() if not key.startswith("manifests/")}  # noqa: SIM118
    assert stored == named
    for kind, items in (("unlabelled clips", 2), ("logs", 1)):
        assert sum(e.details["items"] for e in entries if e.details["kind"] == kind) == items
    again = last_line(run_here(["retention", "--json"], everything_ends.home, env=ALL_SET).stdout)
    assert again["items"] == 0
    opened.catalog.close()


def test_the_command_shows_what_would_go(everything_ends: Settings) -> None:
    fill(everything_ends)[0].catalog.close()
    shown = run_here(["retention"], everything_ends.home, env=ALL_SET)
    assert shown.returncode == 0, shown.stderr
    assert "would be removed" in shown.stdout
    assert "retention.recordings_days = 30" in shown.stdout
    assert "people labelled it" in shown.stdout
