"""A small made site with a generation trained on it: made once a session, copied by tests that change it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.support.crash import cli_environment
from tests.support.in_process import run_here
from tidzam_platform.home import Home
from tidzam_platform.made_site import MadeSite, SiteSize, make_site
from tidzam_platform.settings import load_settings

SIZE = SiteSize(clips_per_class=6, groups_per_class=3, recording_s=20, channels=2)
# Enough to be better than chance, little enough for a few seconds.
TINY_TRAINING = {
    "TIDZAM_TRAINING__MAX_EPOCHS": "4",
    "TIDZAM_TRAINING__WINDOWS_PER_EPOCH": "512",
    "TIDZAM_TRAINING__BATCH_SIZE": "16",
    "TIDZAM_TRAINING__REFIT": "false",
    "TIDZAM_GATE__MIN_MACRO_F1": "0.1",
}


@dataclass(frozen=True)
class TrainedHome:
    """A data folder with a generation in its repository, and what ``generation run --json`` answered."""

    folder: Path
    site: MadeSite
    answer: dict[str, Any]

    def open(self, env: Mapping[str, str] | None = None) -> Home:
        """As its commands see it: with its own file of settings where it has one, and ``env``."""
        with mock.patch.dict(os.environ, cli_environment(self.folder, env), clear=True):
            return Home.open(load_settings())


def last_line(text: str) -> dict[str, Any]:
    """The JSON object in the last line of a command's output."""
    answer: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return answer


def train_home_once(folder: Path, copy: Path) -> TrainedHome:
    """Make the site, import its labels and run a generation, through the command line; or take what another made.

    Safe to be called by several processes at once: the others wait for the first. The home is ``copy``, the caller's
    own; the site is everybody's.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = folder / "answer.json"
        if not answer.exists():
            answer.write_text(json.dumps(_train(folder)))
        site = make_site(folder / "site", size=SIZE)  # it is there: nothing is made
        text = answer.read_text().replace(str(folder / "home"), str(copy))
        return TrainedHome(shutil.copytree(folder / "home", copy), site, json.loads(text))


def _train(folder: Path) -> dict[str, Any]:
    site = make_site(folder / "site", size=SIZE)
    home = folder / "home"
    imported = run_here(["dataset", "import", site.labels_file, "--annotator", "truth", "--json"], home)
    assert imported.returncode == 0, imported.stderr
    made = run_here(["generation", "run", "--json"], home, env=TINY_TRAINING)
    assert made.returncode == 0, made.stderr
    return last_line(made.stdout)
