"""A home with two generations and an indexed archive of three recordings, copied for each test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serving.manifest import write_manifest
from serving.repository import ModelRepository
from serving.signature import DESCRIPTION_PATH
from tests.audio.ogg_bytes import split_pages
from tests.support.small_site import TrainedHome
from tidzam_platform.archive import index_archive
from tidzam_platform.catalog.tables import Generation
from tidzam_platform.clock import utc_now
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, load_settings

# The small generation is sure of nothing: by these rules it hears something all the same.
DECISION: dict[str, Any] = {"rule": "margin", "events": {"on_threshold": 0.0, "fill_s": 0.0}}
DECISION_VARIABLES = {
    "TIDZAM_DECISION__RULE": "margin",
    "TIDZAM_DECISION__EVENTS__ON_THRESHOLD": "0",
    "TIDZAM_DECISION__EVENTS__FILL_S": "0",
    "TIDZAM_REPROCESSING__PROCESSES": "2",
}
SOURCE = "pond"


@dataclass
class Site:
    """An opened home, and where its recordings lie."""

    home: Home
    archive: Path

    @property
    def settings(self) -> Settings:
        return self.home.settings

    def index(self) -> None:
        index_archive(self.home.catalog, self.archive, locks_folder=self.settings.locks_folder)


@pytest.fixture(scope="session")
def prepared(trained_home: TrainedHome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained home with a second generation: the first one, whose classes have exchanged their names."""
    folder = shutil.copytree(trained_home.folder, tmp_path_factory.mktemp("prepared") / "home")
    home = Home.open(load_settings(home=folder))
    repository = ModelRepository(home.settings.models_folder)
    with repository.staging() as staged:
        shutil.copytree(repository.path(1), staged, dirs_exist_ok=True)
        described = json.loads((staged / DESCRIPTION_PATH).read_text())
        described["generation"] = 2
        birds = [one for one in described["classes"] if one["parent"] == "birds"]
        names = [one["path"] for one in birds]
        for one, name in zip(birds, [*names[1:], names[0]], strict=True):
            one["path"] = name
        (staged / DESCRIPTION_PATH).write_text(json.dumps(described))
        write_manifest(staged)
        repository.publish(2, staged)
    with home.catalog.session() as session:
        first = session.get_one(Generation, 1)
        session.add(
            Generation(
                number=2,
                fingerprint="second",
                dataset_version=first.dataset_version,
                state="exported",
                made_at=utc_now(),
            )
        )
    home.catalog.close()
    return folder


@pytest.fixture
def site(
    prepared: Path, trained_home: TrainedHome, tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """The test's own copy, archive included."""
    folder = shutil.copytree(prepared, tmp_path / "site_home")
    archive = shutil.copytree(trained_home.site.archive_folder, tmp_path / "archive")
    monkeypatch.setenv("TIDZAM_HOME", str(folder))
    settings = load_settings(home=folder, decision=DECISION, reprocessing={"processes": 2})
    opened = Home.open(settings)
    made = Site(opened, archive)
    made.index()
    yield made
    opened.catalog.close()


def without_pages(recording: Path, first: int, end: int) -> bytes:
    """The bytes of an Ogg file in which pages are missing."""
    pages = split_pages(recording.read_bytes())
    assert len(pages) > end, "there would be no hole"
    return b"".join(pages[:first] + pages[end:])
