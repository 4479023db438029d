"""One TCP or TLS connection to a checked and pinned address; every wait has a deadline and can be cancelled."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import select
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Final, Self

from streamer.engine.fetching.addresses import Address, AddressRules, Resolver, allowed_addresses
from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.urls import StreamUrl
from tidzam_platform.errors import FetchError

_RECEIVE_BYTES: Final = 1 << 16
# Of several addresses no single one may use up all the time.
_MAX_TRIED: Final = 4


@functools.cache
def system_tls() -> ssl.SSLContext:
    """TLS as the system trusts it (``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` say what else to trust)."""
    return ssl.create_default_context()


class Connection:
    """A connected socket with a buffer in front of it, used by one thread; a context manager that closes it.

    Attributes:
        limited_by: the setting that says how long its waits may be, for messages.
    """

    def __init__(self, peer: socket.socket, name: str, cancel: Cancellation) -> None:
        """Take over a connected socket that does not block; ``name`` is for messages."""
        self._peer = peer
        self._name = name
        self._cancel = cancel
        self.limited_by = "sources.connect_s"
        self._buffer = bytearray()
        self._ended = False
        self._quiet_since_s = time.monotonic()
        self._came = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it. May be called again."""
        self._peer.close()

    def send(self, data: bytes, deadline_s: float) -> None:
        """Send all of ``data``; FetchError if that fails or takes too long."""
        unsent = memoryview(data)
        while unsent:
            self._cancel.require_going()
            try:
                unsent = unsent[self._peer.send(unsent) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT, deadline_s)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, deadline_s)
            except OSError as error:
                raise self._broken(error) from error

    def read(self, max_bytes: int, deadline_s: float) -> bytes:
        """Wait for bytes; none only at the end. FetchError if that fails or takes too long."""
        if not self._buffer:
            self._fill(deadline_s)
        taken = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        return taken

    def read_exactly(self, length: int, deadline_s: float) -> bytes:
        """Wait for so many bytes; FetchError if the connection ends before."""
        while len(self._buffer) < length:
            self._fill(deadline_s)
            if self._ended:
                raise FetchError(f"{self._name} ended the connection in the middle of something")
        return self.read(length, deadline_s) if length else b""

    def read_line(self, max_bytes: int, deadline_s: float) -> bytes:
        """Wait for a line; it is given without its end (CR LF or LF).

        Raises:
            FetchError: it is longer than ``max_bytes``, or the connection ends before.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > max_bytes:
                break
            self._fill(deadline_s)
            if self._ended:
                raise FetchError(f"{self._name} ended the connection in the middle of a line")
        if end < 0 or end > max_bytes:
            raise FetchError(
                f"{self._name} sent a line of more than {max_bytes} bytes where a header belongs"
            )
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _fill(self, deadline_s: float) -> None:
        """Receive something into the buffer, or learn that it has ended."""
        while not self._ended:
            self._cancel.require_going()
            try:
                received = self._peer.recv(_RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(select.POLLIN, deadline_s)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, deadline_s)
            except OSError as error:
                raise self._broken(error) from error
            else:
                self._buffer += received
                self._ended = not received
                self._quiet_since_s, self._came = time.monotonic(), True
                return

    def _wait(self, events: int, deadline_s: float) -> None:
        if not self._cancel.wait_for(self._peer.fileno(), events, deadline_s):
            quiet_s = time.monotonic() - self._quiet_since_s
            raise FetchError(
                f"{self._name} sent nothing{' more' if self._came else ''} in time, for {quiet_s:.1f} s "
                f"({self.limited_by} says how long is waited)"
            )

    def _broken(self, error: OSError) -> FetchError:
        return FetchError(f"the connection to {self._name} broke: {_reason(error)}")


class Dialler:
    """Makes connections as the settings allow them.

    Args:
        rules: which addresses are allowed.
        resolver: who looks names up.
        tls: what a server's certificate is checked against.
        cancel: ends every wait.
    """

    def __init__(
        self, rules: AddressRules, resolver: Resolver, tls: ssl.SSLContext | None, cancel: Cancellation
    ) -> None:
        self._rules = rules
        self._resolver = resolver
        self._tls = tls
        self._cancel = cancel

    def connect(self, url: StreamUrl, deadline_s: float) -> Connection:
        """As :meth:`dial`, with a buffer around it."""
        return Connection(self.dial(url, deadline_s), url.host_and_port, self._cancel)

    def dial(self, url: StreamUrl, deadline_s: float) -> socket.socket:
        """Connect to the server of ``url``: its name is looked up once, and only what was checked is connected to.

        Returns:
            A socket that does not block, TLS if the scheme is https.

        Raises:
            RefusedAddressError: it leads to an address that is not allowed.
            FetchError: it is not known, not reachable, has no good certificate, or not in time.
        """
        addresses = allowed_addresses(
            url.host, self._rules, self._resolver, deadline_s=deadline_s, cancel=self._cancel
        )
        peer = self._connect_to_any(addresses[:_MAX_TRIED], url, deadline_s)
        try:
            if url.scheme == "https":
                peer = self._secured(peer, url, deadline_s)
        except BaseException:
            peer.close()
            raise
        return peer

    def _connect_to_any(
        self, addresses: Sequence[Address], url: StreamUrl, deadline_s: float
    ) -> socket.socket:
        failures = []
        for tried, address in enumerate(addresses):
            left_s = deadline_s - time.monotonic()
            try:
                return self._connect_to(
                    address, url.port, deadline_s - left_s + left_s / (len(addresses) - tried)
                )
            except OSError as error:
                failures.append(f"{address}: {_reason(error)}")
        raise FetchError(f"{url.host_and_port} is not reachable ({'; '.join(failures)})")

    def _connect_to(self, address: Address, port: int, deadline_s: float) -> socket.socket:
        family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
        peer = socket.socket(family, socket.SOCK_STREAM)
        try:
            peer.setblocking(False)
            with contextlib.suppress(BlockingIOError):  # EINPROGRESS
                peer.connect((str(address), port))
            self._wait_connected(peer, deadline_s)
        except BaseException:
            peer.close()
            raise
        return peer

    def _wait_connected(self, peer: socket.socket, deadline_s: float) -> None:
        if not self._cancel.wait_for(peer.fileno(), select.POLLOUT, deadline_s):
            raise TimeoutError(errno.ETIMEDOUT, "no answer in time")
        code = peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def _secured(self, peer: socket.socket, url: StreamUrl, deadline_s: float) -> ssl.SSLSocket:
        context = self._tls or system_tls()
        try:
            secured = context.wrap_socket(
                peer, server_hostname=url.host.rstrip("."), do_handshake_on_connect=False
            )
        except (OSError, ValueError) as error:  # ValueError: a host that no certificate can be for
            raise FetchError(f"{url.host_and_port} cannot be spoken to by TLS: {error}") from error
        try:
            self._finish_handshake(secured, url, deadline_s)
        except BaseException:
            secured.close()
            raise
        return secured

    def _finish_handshake(self, secured: ssl.SSLSocket, url: StreamUrl, deadline_s: float) -> None:
        while (events := _handshake(secured, url)) is not None:
            if not self._cancel.wait_for(secured.fileno(), events, deadline_s):
                raise FetchError(f"{url.host_and_port} did not finish the TLS handshake in time")


def _handshake(secured: ssl.SSLSocket, url: StreamUrl) -> int | None:
    """Go on with the handshake; returns which event it waits for, None when it is done."""
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return select.POLLIN
    except ssl.SSLWantWriteError:
        return select.POLLOUT
    except ssl.SSLCertVerificationError as error:
        raise FetchError(
            f"{url.host_and_port} has no certificate that is trusted: {error.verify_message}; "
            "SSL_CERT_FILE names a file of others to trust"
        ) from error
    except OSError as error:
        raise FetchError(f"{url.host_and_port} failed at TLS: {_reason(error)}") from error
    return None


def _reason(error: OSError) -> str:
    return str(error.strerror or error)
