"""Which feed a source has."""

from __future__ import annotations

from datetime import datetime

from streamer.engine.sources.archive_recordings import (
    FROM_THE_FIRST,
    nothing_from,
    recordings_from,
    zone_of_database,
)
from streamer.engine.sources.attempt import Feed
from streamer.engine.sources.context import SourceContext
from streamer.engine.sources.devices import AlsaDevice, parse_device
from streamer.engine.sources.feeding import UrlFeed
from streamer.engine.sources.file_source import ArchiveFeed, FileFeed
from streamer.engine.sources.live import PushedFeed
from streamer.engine.sources.pushed_audio import PushQueue
from streamer.engine.sources.sound_card import AlsaFeed, JackFeed
from streamer.engine.sources.specification import SourceKind, SourceSpecification
from tidzam_platform.errors import SourceError


def archive_zone(specification: SourceSpecification, context: SourceContext) -> str:
    """The zone of its dates: its own, else that of the database's file names, else UTC. May raise CatalogError."""
    if specification.zone is not None:
        return specification.zone
    return zone_of_database(context.open_catalog(), specification.archive_name) or "UTC"


def make_feed(
    specification: SourceSpecification, context: SourceContext, now: datetime
) -> tuple[SourceKind, Feed]:
    """Where the source's audio comes from if it is started at ``now``, and what gives it.

    Raises:
        CatalogError: an archive is to be played, and the catalog does not answer.
    """
    zone = "UTC" if specification.date is None else archive_zone(specification, context)
    kind = specification.kind(now, zone)
    return kind, _feed_of(specification, kind, zone)


def require_recordings(specification: SourceSpecification, context: SourceContext, now: datetime) -> None:
    """Refuse a temporary source that plays an archive, if there is nothing that it could play.

    A permanent one may wait for recordings that are still to come.

    Raises:
        SourceError: the catalog has no recording of it from its date on.
        CatalogError: the catalog does not answer.
    """
    if specification.is_permanent:
        return
    zone = "UTC" if specification.date is None else archive_zone(specification, context)
    if specification.kind(now, zone) is not SourceKind.ARCHIVE:
        return
    database, begin = specification.archive_name, specification.moment(zone) or FROM_THE_FIRST
    if next(recordings_from(context.open_catalog(), database, begin), None) is None:
        raise SourceError(f"source {specification.name!r}: {nothing_from(database, begin)}")


def _feed_of(specification: SourceSpecification, kind: SourceKind, zone: str) -> Feed:
    if kind is SourceKind.URL:
        return UrlFeed()
    if kind is SourceKind.FILE:
        return FileFeed()
    if kind is SourceKind.LIVE:
        return PushedFeed(PushQueue(specification.nb_channels or 1))
    if kind is SourceKind.ARCHIVE:
        return ArchiveFeed(specification.archive_name, specification.moment(zone))
    assert specification.device is not None  # noqa: S101 - the last kind
    device = parse_device(specification.device)
    return AlsaFeed(device) if isinstance(device, AlsaDevice) else JackFeed(device)
