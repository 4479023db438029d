"""Time: aware UTC everywhere, ISO 8601 with ``Z`` at the edges."""

from __future__ import annotations

from datetime import UTC, datetime

from tidzam_platform.errors import TidzamError


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def format_utc(moment: datetime) -> str:
    """ISO 8601 in UTC with millisecond precision, e.g. ``2026-04-01T05:00:00.000Z``."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_utc(text: str) -> datetime:
    """Read ISO 8601; a time without a zone is refused, since nobody can say which one it means."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TidzamError(f"{text!r} is not a time: write it like 2026-04-01T05:00:00Z") from error
    if moment.tzinfo is None:
        raise TidzamError(f"{text!r} has no time zone: add Z for UTC, or an offset such as +02:00")
    return moment.astimezone(UTC)
