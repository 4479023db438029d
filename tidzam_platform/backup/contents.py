"""What of a home belongs into its backup: all but what can be made again, and what ends with running processes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidzam_platform.backup.containers import BACKUPS_MARK
from tidzam_platform.backup.databases import SIDE_FILES
from tidzam_platform.backup.manifest import CATALOG, SETTINGS, STORE
from tidzam_platform.files import PARTIAL_FOLDER
from tidzam_platform.settings import Settings, config_file

LEFT_OUT: Final = {  # folders of a home
    "archive": "recordings (--archive takes them)",
    "spool": "audio and messages that were on their way",
    "logs": "logs",
    "tensorboard": "logs of trainings",
    "training": "half-done trainings",
    "cache": "what can be made again",
    "run": "sockets of running processes",
    "locks": "locks",
}
_ELSEWHERE: Final = (CATALOG, *(CATALOG + ending for ending in SIDE_FILES), STORE)
_MAX_SETTINGS_BYTES: Final = 16 << 20


@dataclass(frozen=True)
class Found:
    """A file, and where it belongs in a home."""

    place: str
    path: Path


def home_files(settings: Settings, folders: dict[str, int], left_out: list[str]) -> Iterator[Found]:
    """Secrets, sources, models, Dagster's state: files of the home but the catalog, the store and what is left out.

    Fills ``folders`` with the rights of folders that are closed to others, ``left_out`` with what is no regular file.
    """
    home = settings.home
    for entry in sorted(home.iterdir()):
        if entry.name in LEFT_OUT or entry.name in _ELSEWHERE or entry == settings.archive_folder:
            continue
        if (entry / BACKUPS_MARK).is_file():
            left_out.append(f"{entry.name}: other backups")
        elif entry.name != PARTIAL_FOLDER:
            yield from _below(home, entry, folders, left_out)


def archive_files(folder: Path, left_out: list[str]) -> Iterator[Path]:
    """Recordings that are finished, and what else lies among them; hidden files are not."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.is_symlink() or not path.is_file():
                left_out.append(f"{path}: no regular file")
                continue
            yield path


def settings_files(settings: Settings) -> Iterator[Found]:
    """The file of settings, and the files that it names, unless they lie in the home anyway."""
    named = {
        "tidzam.toml": config_file(),
        "sources.file": settings.sources.file,
        "mixer.policy_file": settings.mixer.policy_file,
        "tree.file": settings.tree.file,
        "gateway.species_table": settings.gateway.species_table,
    }
    for what, path in named.items():
        if path is None or not path.is_file() or path.stat().st_size > _MAX_SETTINGS_BYTES:
            continue
        if path.absolute().is_relative_to(settings.home):
            continue
        place = what if what == "tidzam.toml" else f"{what}/{path.name}"
        yield Found(f"{SETTINGS}/{place}", path)


def _below(home: Path, entry: Path, folders: dict[str, int], left_out: list[str]) -> Iterator[Found]:
    place = entry.relative_to(home).as_posix()
    try:
        status = entry.lstat()
    except FileNotFoundError:  # gone since it was listed
        return
    if stat.S_ISREG(status.st_mode):
        if not entry.name.endswith(SIDE_FILES):
            yield Found(place, entry)
    elif stat.S_ISDIR(status.st_mode):
        if not status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
            folders[place] = stat.S_IMODE(status.st_mode)
        try:
            inside = sorted(entry.iterdir())
        except FileNotFoundError:
            return
        for one in inside:
            if one.name != PARTIAL_FOLDER:
                yield from _below(home, one, folders, left_out)
    elif stat.S_ISLNK(status.st_mode):  # what it leads to may lie anywhere
        left_out.append(f"{place}: a link")
