"""Where a connection may lead: a name is looked up once, and every address that it has must be allowed.

What is public is told by the IANA special-purpose address registries (RFC 6890) and their later entries.
"""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from streamer.engine.fetching.cancellation import Cancellation
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

Address = IPv4Address | IPv6Address
# Takes a host and says its addresses in numbers; OSError if it has none.
Resolver = Callable[[str], Sequence[str]]

# Look-ups that the system has not answered yet, each a thread: it takes no deadline.
_MAX_LOOKUPS: Final = 64
_lookups = threading.BoundedSemaphore(_MAX_LOOKUPS)
_MEND: Final = (
    "sources.private_addresses or sources.allowed_hosts allow it (private_addresses = true below [sources] in "
    "tidzam.toml, or TIDZAM_SOURCES__PRIVATE_ADDRESSES=true; then ./tidzam restart engine)"
)

_NEVER_V4: Final = (
    ("unspecified", IPv4Network("0.0.0.0/32")),
    ("multicast", IPv4Network("224.0.0.0/4")),
    ("broadcast", IPv4Network("255.255.255.255/32")),
)
_NOT_PUBLIC_V4: Final = (
    ("of this network", IPv4Network("0.0.0.0/8")),
    ("private", IPv4Network("10.0.0.0/8")),
    ("shared (carrier-grade NAT)", IPv4Network("100.64.0.0/10")),
    ("loopback", IPv4Network("127.0.0.0/8")),
    ("link-local", IPv4Network("169.254.0.0/16")),
    ("private", IPv4Network("172.16.0.0/12")),
    ("reserved", IPv4Network("192.0.0.0/24")),
    ("for documentation", IPv4Network("192.0.2.0/24")),
    ("a 6to4 relay", IPv4Network("192.88.99.0/24")),
    ("private", IPv4Network("192.168.0.0/16")),
    ("for benchmarks", IPv4Network("198.18.0.0/15")),
    ("for documentation", IPv4Network("198.51.100.0/24")),
    ("for documentation", IPv4Network("203.0.113.0/24")),
    ("reserved", IPv4Network("240.0.0.0/4")),
)
_NEVER_V6: Final = (
    ("unspecified", IPv6Network("::/128")),
    ("multicast", IPv6Network("ff00::/8")),
)
_NOT_PUBLIC_V6: Final = (
    ("loopback", IPv6Network("::1/128")),
    ("local NAT64", IPv6Network("64:ff9b:1::/48")),
    ("Teredo", IPv6Network("2001::/32")),
    ("reserved", IPv6Network("2001::/23")),
    ("for documentation", IPv6Network("2001:db8::/32")),
    ("6to4", IPv6Network("2002::/16")),
    ("for documentation", IPv6Network("3fff::/20")),
    ("private", IPv6Network("fc00::/7")),
    ("link-local", IPv6Network("fe80::/10")),
    ("site-local", IPv6Network("fec0::/10")),
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")  # RFC 4291 section 2.4: all that IANA gives out
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
# RFC 5214 section 6.1: these interface identifiers lead to the IPv4 address after them, whatever the network.
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def never_an_endpoint(address: Address) -> str | None:
    """What an address is that no setting allows, because no single host has it; None for all others."""
    embedded = embedded_ipv4(address)
    if embedded is not None:
        return never_an_endpoint(embedded)
    return _kind(address, _NEVER_V4 if isinstance(address, IPv4Address) else _NEVER_V6)


def not_public(address: Address) -> str | None:
    """What an address is that is not public, e.g. ``loopback``; None for a public one."""
    embedded = embedded_ipv4(address)
    if embedded is not None:
        return not_public(embedded)
    if isinstance(address, IPv4Address):
        return _kind(address, _NEVER_V4) or _kind(address, _NOT_PUBLIC_V4)
    kind = _kind(address, _NEVER_V6) or _kind(address, _NOT_PUBLIC_V6)
    if kind is None and address not in _GLOBAL_UNICAST:
        kind = "reserved"
    if kind is None and int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        kind = "ISATAP"
    return kind


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """The IPv4 host that an IPv4-mapped or NAT64 address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


@dataclass(frozen=True)
class AddressRules:
    """What the settings say of addresses.

    Attributes:
        private_addresses: whether addresses that are not public are allowed.
        hosts: names that may lead to any host, in lower case.
        networks: addresses, and networks of them, that are allowed.
    """

    private_addresses: bool
    hosts: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, settings: SourcesSettings) -> AddressRules:
        """``sources.private_addresses`` and ``sources.allowed_hosts``."""
        hosts, networks = set(), []
        for entry in settings.allowed_hosts:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                hosts.add(entry.rstrip(".").lower())
        return cls(settings.private_addresses, frozenset(hosts), tuple(networks))

    def require_allowed(self, host: str, address: Address) -> None:
        """RefusedAddressError unless a connection to ``host`` may lead to ``address``."""
        never = never_an_endpoint(address)
        if never is not None:
            raise RefusedAddressError(f"{host} leads to {address}, which is {never}: no host can be there")
        kind = not_public(address)
        if kind is None or self.private_addresses or host.rstrip(".").lower() in self.hosts:
            return
        known = (address, embedded_ipv4(address))
        if any(found in network for network in self.networks for found in known if found is not None):
            return
        raise RefusedAddressError(f"{host} leads to {address}, which is {kind}: only {_MEND}")


def system_resolver(host: str) -> Sequence[str]:
    """What the operating system says; OSError (``socket.gaierror``) if nothing."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in found]


def allowed_addresses(
    host: str, rules: AddressRules, resolver: Resolver, *, deadline_s: float, cancel: Cancellation
) -> list[Address]:
    """Look ``host`` up, once, and check all that it has.

    Odd spellings of addresses (decimal, octal, shortened) go through the resolver like names, and are judged by what
    comes out.

    Args:
        host: a name or an address, without brackets.
        rules: which are allowed.
        resolver: who is asked; it may block for as long as it wants.
        deadline_s: until when to wait for it, of ``time.monotonic``.
        cancel: ends the wait.

    Returns:
        At least one address, in the resolver's order, none twice.

    Raises:
        RefusedAddressError: one of them is not allowed.
        FetchError: there is none, or not in time.
    """
    addresses: list[Address] = []
    for text in _look_up(host, resolver, deadline_s, cancel):
        try:
            address = ipaddress.ip_address(text)
        except ValueError as error:
            raise FetchError(f"{host} has an address that is none: {text!r}") from error
        rules.require_allowed(host, address)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address not in addresses:
            addresses.append(address)
    if not addresses:
        raise FetchError(f"{host} has no address: look at its spelling and at the name server")
    return addresses


def _look_up(host: str, resolver: Resolver, deadline_s: float, cancel: Cancellation) -> Sequence[str]:
    """Ask the resolver in a thread of its own, which may outlive the wait."""
    if not _lookups.acquire(blocking=False):
        raise FetchError(
            f"{host} cannot be looked up: {_MAX_LOOKUPS} other names wait for the name server's answer"
        )
    found: list[Sequence[str]] = []
    failed: list[Exception] = []
    waiting, answered = os.pipe()

    def ask() -> None:
        try:
            found.append(resolver(host))
        except (OSError, UnicodeError) as error:  # UnicodeError: what cannot be a name of DNS
            failed.append(error)
        finally:
            os.close(answered)  # its other end hangs up
            _lookups.release()

    try:
        threading.Thread(target=ask, name="tidzam-resolver", daemon=True).start()
    except RuntimeError as error:  # no more threads
        os.close(waiting)
        os.close(answered)
        _lookups.release()
        raise FetchError(f"{host} cannot be looked up: {error}") from error
    try:
        if not cancel.wait_for(waiting, select.POLLIN, deadline_s):
            raise FetchError(f"{host} was not found in time: the name server does not answer")
    finally:
        os.close(waiting)
    if failed:
        because = getattr(failed[0], "strerror", None) or failed[0]
        raise FetchError(f"{host} is not known: {because}") from failed[0]
    return found[0] if found else ()


def _kind(address: Address, table: Sequence[tuple[str, IPv4Network | IPv6Network]]) -> str | None:
    return next((kind for kind, network in table if address in network), None)
