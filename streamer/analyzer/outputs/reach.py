"""How outputs reach the network: every address is looked up once, checked and pinned, every wait has an end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from streamer.analyzer.outputs.specification import OutputSpecification
from streamer.engine.fetching.addresses import (
    Address,
    AddressRules,
    Resolver,
    never_an_endpoint,
    not_public,
    system_resolver,
)
from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.connections import Dialler
from streamer.engine.fetching.urls import StreamUrl
from tidzam_platform.errors import FetchError, OutputError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

_MEND: Final = "private_addresses = true or allowed_hosts of the output allow it (docs/outputs.md)"


class _OutputAddresses(AddressRules):
    """As for sources; the message names what mends it here."""

    def require_allowed(self, host: str, address: Address) -> None:
        try:
            super().require_allowed(host, address)
        except RefusedAddressError as error:
            kind = not_public(address)
            if kind is None or never_an_endpoint(address) is not None:
                raise
            raise RefusedAddressError(f"{host} leads to {address}, which is {kind}: {_MEND}") from error


class Reach:
    """What one output connects by.

    Args:
        specification: which addresses are allowed, what is trusted, how long it may take.
        resolver: who looks names up.

    Attributes:
        cancel: ends every wait of the output, from any thread.
    """

    def __init__(self, specification: OutputSpecification, *, resolver: Resolver = system_resolver) -> None:
        self._specification = specification
        self._resolver = resolver
        self.cancel = Cancellation()

    @cached_property
    def dialler(self) -> Dialler:
        """Makes connections. OutputError where the certificates to trust cannot be read."""
        allowed = SourcesSettings(
            private_addresses=self._specification.private_addresses,
            allowed_hosts=self._specification.allowed_hosts,
        )
        return Dialler(_OutputAddresses.of(allowed), self._resolver, self._trusted(), self.cancel)

    def deadline_s(self) -> float:
        """Until when a delivery that begins now may take, of ``time.monotonic``."""
        return time.monotonic() + self._specification.deadline_s

    def open_socket(self, host: str, port: int, *, tls: bool, deadline_s: float) -> socket.socket:
        """Connect to a host by its checked address; a socket that does not block, TLS where it is wanted.

        Raises:
            OutputError: it may not, cannot, or not in time.
        """
        url = StreamUrl("https" if tls else "http", host, port, "/")
        with as_output_error():
            return self.dialler.dial(url, deadline_s)

    def tls_context(self) -> ssl.SSLContext:
        """What certificates are checked against."""
        return self._trusted() or ssl.create_default_context()

    def close(self) -> None:
        """Cancel, and free what it holds. May be called again."""
        self.cancel.close()

    def _trusted(self) -> ssl.SSLContext | None:
        file = self._specification.ca_file
        if file is None:
            return None
        try:
            return ssl.create_default_context(cafile=str(file))
        except OSError as error:  # ssl.SSLError is one
            name = self._specification.name
            raise OutputError(
                f"the certificates {file} of output {name!r} cannot be read: {error.strerror or error}"
            ) from error


@contextlib.contextmanager
def as_output_error() -> Iterator[None]:
    """What fetching raises becomes an OutputError: it may work later, or after a person has mended something."""
    try:
        yield
    except (FetchError, RefusedAddressError) as error:
        raise OutputError(str(error)) from error
