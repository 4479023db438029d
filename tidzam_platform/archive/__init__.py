"""The archive of recordings: its files, and what the catalog knows of them."""

from tidzam_platform.archive.index import index_archive
from tidzam_platform.archive.recordings import find_recordings, recording_at
from tidzam_platform.archive.report import IndexReport

__all__ = ["IndexReport", "find_recordings", "index_archive", "recording_at"]
