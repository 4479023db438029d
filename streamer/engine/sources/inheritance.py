"""A source that is asked for under a name that exists: what it takes over from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streamer.engine.sources.specification import SourceSpecification

# What belongs to the place and to its archive, and not to where the sound comes from just now.
_INHERITED: Final = ("path_database", "database_file_length", "zone", "latitude", "longitude")
_ORIGINS: Final = ("url", "path", "device", "live", "database")


def inherit(
    request: Mapping[str, Any],
    before: SourceSpecification | None,
    of_database: SourceSpecification | None,
) -> SourceSpecification:
    """The specification of a request.

    Args:
        request: as it came; what is empty counts as not given.
        before: the source of the same name, if there is one: its archive is taken over, and where only a date is
            asked for, its URL too, for a date in the future.
        of_database: the source whose database is named, if there is one: its URL is loaded for a date in the future.

    Raises:
        SourceError: it is not well described.
    """
    given = {key: value for key, value in request.items() if value is not None and value != ""}
    if before is not None:
        known = before.as_dict(hide_secrets=False)
        for key in _INHERITED:
            if key in known and not (
                key in ("latitude", "longitude") and {"latitude", "longitude"} & set(given)
            ):
                given.setdefault(key, known[key])
        if "date" in given and not any(given.get(key) for key in _ORIGINS):
            for key in ("url", "database", "channels", "nb_channels"):
                if key in known:
                    given.setdefault(key, known[key])
    live = of_database.url if of_database is not None else None
    if (
        "date" in given
        and live is not None
        and not any(given.get(key) for key in _ORIGINS if key != "database")
    ):
        given.setdefault("url", live)
    return SourceSpecification.parse(given)
