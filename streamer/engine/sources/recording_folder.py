"""Where the recordings of a source go."""

from __future__ import annotations

from pathlib import Path

from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.errors import SourceError
from tidzam_platform.settings import Settings


def recording_folder(specification: SourceSpecification, settings: Settings) -> Path:
    """A folder below the archive: of its own unless the source names one.

    Raises:
        SourceError: it lies outside of the archive.
    """
    archive = settings.archive_folder
    folder = archive / (specification.path_database or specification.archive_name)
    if not folder.resolve().is_relative_to(archive.resolve()):
        raise SourceError(
            f"source {specification.name!r}: its recordings would lie in {folder}, outside of the archive {archive}: "
            "name a folder inside of it in path_database"
        )
    return folder
