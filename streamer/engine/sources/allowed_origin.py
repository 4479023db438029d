"""Whether a source may ever be heard: what can be said of its path or address before it is added."""

from __future__ import annotations

import contextlib
import time
from typing import Final

from streamer.engine.fetching import Cancellation, Resolver, open_local, parse_url, system_resolver
from streamer.engine.fetching.addresses import AddressRules, allowed_addresses
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.errors import AudioError, FetchError, SourceError
from tidzam_platform.settings import Settings

LOOK_UP_S: Final = 1.0
"""So long the name server may take: whoever adds a source waits for it."""


def require_allowed(
    specification: SourceSpecification,
    settings: Settings,
    *,
    resolver: Resolver = system_resolver,
    look_up_s: float = LOOK_UP_S,
) -> None:
    """Refuse what no waiting mends.

    A name that is not found, or not in time, is no reason: it is looked up again when the source is played, and its
    addresses are judged then. Nor is a file of a permanent source that cannot be opened now: its disk may come later.

    Args:
        specification: what shall be added.
        settings: which addresses and folders are allowed.
        resolver: who looks up names of servers.
        look_up_s: how long to wait for it, s.

    Raises:
        RefusedAddressError: its address may not be fetched, or its file not be played.
        SourceError: its file is not there or no audio, and it is not permanent.
    """
    if specification.path is not None:
        try:
            open_local(specification.path, settings).close()
        except AudioError as error:
            if not specification.is_permanent:
                raise SourceError(f"source {specification.name!r}: {error}") from error
    if specification.url is not None:
        host, rules = parse_url(specification.url).host, AddressRules.of(settings.sources)
        deadline_s = time.monotonic() + look_up_s
        with Cancellation() as cancellation, contextlib.suppress(FetchError):
            allowed_addresses(host, rules, resolver, deadline_s=deadline_s, cancel=cancellation)
