"""A process that records one clip, or removes clips, to be killed. Arguments: FOLDER record|remove BYTES."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.clips.made import metadata, record
from tidzam_platform.catalog import Catalog
from tidzam_platform.clips.removal import RemovalJournal, remove_oldest_unlabelled
from tidzam_platform.store import LocalStore


def main(folder: Path, what: str) -> None:
    catalog, store = Catalog.open(f"sqlite:///{folder / 'catalog.db'}"), LocalStore(folder / "store")
    if what == "record":
        record(catalog, store, folder / "spool", metadata())
    else:
        remove_oldest_unlabelled(
            catalog, store, RemovalJournal(folder / "spool" / "removals"), int(sys.argv[3])
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
