"""The queue of a generation: made from what nobody labelled, read by command, emptied by labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from tests.support.in_process import run_here
from tests.support.small_site import TrainedHome, last_line
from tidzam_platform.audio import write_audio
from tidzam_platform.catalog.tables import Clip, Group, LabelQueueItem
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.datasets.importer import import_labels
from tidzam_platform.errors import ObjectNotFoundError, TidzamError
from tidzam_platform.home import Home
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.labelled_file import LabelledFile
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget
from tidzam_platform.learning import rank_clips, read_queue
from tidzam_platform.learning.candidates import still_there, unlabelled_clips
from tidzam_platform.learning.clip_cache import ClipCache, StoredClip
from tidzam_platform.retention.clip_rows import forget_clips
from tidzam_platform.settings import Settings

UNLABELLED = 5


@pytest.fixture
def home(trained_copy: TrainedHome, tmp_path: Path) -> Home:
    """A home with a generation and five clips without a label, the last in a group of the test side."""
    opened = Home.open(Settings(home=trained_copy.folder))
    random = np.random.default_rng(1)
    entries = []
    for number in range(UNLABELLED):
        path = tmp_path / f"{number}.wav"
        at_s = np.arange(36_000) / 24_000
        tone = 0.2 * np.sin(2 * np.pi * (300 + 900 * number) * at_s) + 0.01 * random.standard_normal(36_000)
        write_audio(path, tone[np.newaxis].astype(np.float32), 24_000, codec="wav")
        entries.append(LabelledFile(path, (), f"fresh-{number}", str(path)))
    assert import_labels(opened.catalog, opened.store, entries, annotator="nobody").added == UNLABELLED
    with opened.catalog.session() as session:
        last = session.scalars(select(Group).where(Group.key == f"import/fresh-{UNLABELLED - 1}")).one()
        last.side = "test"
    return opened


def test_what_nobody_labelled_is_ranked_replaced_and_emptied_by_labels(home: Home) -> None:
    report = rank_clips(home, 1)
    assert (report.clips, report.archive_windows, report.rows) == (UNLABELLED - 1, 0, UNLABELLED - 1)
    queue = read_queue(home.catalog)
    assert [entry.rank for entry in queue] == [1, 2, 3, 4], "clips of the test side teach nothing"
    values = [entry.figures["value"] for entry in queue]
    assert values == sorted(values, reverse=True)
    assert all(0 <= entry.score <= 1 and entry.seconds == pytest.approx(1.5, abs=0.01) for entry in queue)
    assert {entry.item for entry in queue} == {f"clip:{entry.clip_id}" for entry in queue}

    again = rank_clips(home, 1)
    assert again == report, "the same clips and generation give the same order"
    assert [entry.item for entry in read_queue(home.catalog)] == [entry.item for entry in queue]
    with home.catalog.reading() as session:
        assert len(session.scalars(select(LabelQueueItem)).all()) == report.rows, "replaced, not added"

    first = queue[0]
    assert first.clip_id is not None
    annotate(home.catalog, ClipTarget(first.clip_id), [Statement("birds")], annotator="ann", tool="test")
    assert [entry.rank for entry in read_queue(home.catalog)] == [2, 3, 4]
    assert rank_clips(home, 1).clips == UNLABELLED - 2
    cached = list((home.settings.home / "cache" / "learning").rglob("*.npz"))
    with home.catalog.reading() as session:
        kept = {clip.sha256 for clip in session.scalars(select(Clip))}
    assert cached
    assert {path.stem for path in cached} <= kept
    assert len(read_queue(home.catalog, limit=1)) == 1
    with pytest.raises(TidzamError, match="1 to 1000"):
        read_queue(home.catalog, limit=0)


def test_clips_that_go_while_it_is_made_do_not_stand_in_it(home: Home) -> None:
    rank_clips(home, 1)  # keeps the features of all but those that are forgotten below
    fresh = unlabelled_clips(home.catalog, 10)
    first, second = fresh[:2]
    for path in (home.settings.home / "cache" / "learning").rglob(f"{first.sha256}.npz"):
        path.unlink()

    def remove(clip: StoredClip) -> None:
        with home.catalog.session() as session:
            forget_clips(session, [clip.id])
        home.store.delete(clip.store_key)

    home.store.delete(first.store_key)
    with pytest.raises(ObjectNotFoundError):  # the catalog still names it: that is damage
        rank_clips(home, 1)
    # The first goes before it is decoded, the second after.
    gone: list[StoredClip] = []

    def progress(done: int, total: int) -> None:
        if done == total and not gone:
            remove(second)
            gone.append(second)

    cache = ClipCache(home.settings.home / "cache" / "learning", FrontEnd())
    remove(first)
    loaded = cache.load(home.store, fresh, is_gone=lambda clip: not still_there(home.catalog, [clip.id]))
    assert [clip.sha256 for clip in loaded] == [clip.sha256 for clip in fresh[1:]]
    report = rank_clips(home, 1, progress)
    assert gone
    assert report.rows == report.clips - 1 == UNLABELLED - 3
    queue = read_queue(home.catalog)
    assert [entry.rank for entry in queue] == [1, 2]
    assert {entry.clip_id for entry in queue} == {clip.id for clip in fresh[2:]}


def test_the_command_shows_the_queue_and_ranks_when_it_is_asked_to(home: Home) -> None:
    folder = home.settings.home
    empty = run_here(["queue", "--json"], folder)
    assert empty.returncode == 0, empty.stderr
    assert last_line(empty.stdout) == {"generation": None, "items": []}
    ranked = run_here(["queue", "--rank", "--limit", "2", "--json"], folder)
    assert ranked.returncode == 0, ranked.stderr
    answer = last_line(ranked.stdout)
    assert answer["generation"] == 1
    assert [item["rank"] for item in answer["items"]] == [1, 2]
    shown = run_here(["queue"], folder)
    assert shown.returncode == 0, shown.stderr
    assert answer["items"][0]["item"] in shown.stdout


def test_a_home_without_a_generation_says_what_to_do(tmp_path: Path) -> None:
    ended = run_here(["queue", "--rank"], tmp_path / "home")
    assert ended.returncode != 0
    assert "generation run" in ended.stderr
