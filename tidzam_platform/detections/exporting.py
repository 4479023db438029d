"""Detections of a query as pieces of a file, in any of the formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Recording
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.formats import FORMATS, Layout
from tidzam_platform.detections.formats.darwin_core import MEDIA_TYPE, Site, write_darwin_core
from tidzam_platform.detections.query import DetectionQuery
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import LabelError, QueryError
from tidzam_platform.names import channel as channel_name

DARWIN_CORE: Final = "dwc"
FORMAT_NAMES: Final = (*FORMATS, DARWIN_CORE)


@dataclass(frozen=True)
class Extent:
    """The part of an archive that a recording covers.

    Attributes:
        query: all detections of its channels, or of one, that start within it.
        origin: UTC of its first sample.
    """

    query: DetectionQuery
    origin: datetime


def valid_format(name: str) -> str:
    """Return ``name`` if it is a format of detections, else raise QueryError."""
    if name not in FORMAT_NAMES:
        raise QueryError(f"{name!r} is no format of detections: {', '.join(FORMAT_NAMES)}")
    return name


def media_type_of(format_name: str) -> str:
    """What HTTP calls a format."""
    return MEDIA_TYPE if valid_format(format_name) == DARWIN_CORE else FORMATS[format_name].media_type


def write(
    detections: Iterable[Detection],
    format_name: str,
    catalog: Catalog,
    *,
    origin: datetime | None = None,
    one_channel: bool = False,
    site: Site | None = None,
) -> Iterator[str]:
    """Pieces of text that together are the file, in UTF-8; detections are taken as they are needed.

    Args:
        detections: in order of start, the oldest first, where the format counts seconds (raven, audacity).
        format_name: one of ``FORMAT_NAMES``.
        catalog: where Darwin Core looks up what people verified.
        origin: second 0 of raven and audacity; None: the start of the first detection.
        one_channel: all are of one channel, so that Audacity's labels need not name it.
        site: taxa and places for Darwin Core.

    Raises:
        QueryError: no such format (at once), or a detection lies before the origin (while it is read).
    """
    if valid_format(format_name) == DARWIN_CORE:
        return write_darwin_core(detections, catalog, site or Site())
    return FORMATS[format_name].write(detections, Layout(origin, one_channel))


def export(
    reader: DetectionReader,
    catalog: Catalog,
    query: DetectionQuery,
    format_name: str,
    *,
    origin: datetime | None = None,
    site: Site | None = None,
) -> Iterator[str]:
    """All detections of a query as a file, the oldest first; ``origin``: as ``write``, else the query's ``since``."""
    one_channel = len(query.channels) == 1 and not set("*?") & set(query.channels[0])
    return write(
        reader.all(replace(query, newest_first=False)),
        format_name,
        catalog,
        origin=origin or query.since,
        one_channel=one_channel,
        site=site,
    )


def extent_of(recording: Recording, query: DetectionQuery, number: int | None = None) -> Extent:
    """``query`` narrowed down to a recording, or to its channel ``number`` (from 1).

    Raises:
        LabelError: the recording cannot be used.
        QueryError: it has no such channel.
    """
    if recording.end is None or recording.channels is None:
        raise LabelError(f"{recording.path} cannot be used: {recording.error}")
    if number is not None and not 1 <= number <= recording.channels:
        raise QueryError(
            f"{recording.path} has channels 1 to {recording.channels}: there is no channel {number}"
        )
    source = recording.source.name
    narrowed = replace(
        query,
        since=recording.start,
        until=recording.end,
        channels=(f"{source}:out_*",) if number is None else (channel_name(source, number),),
    )
    return Extent(narrowed, recording.start)
