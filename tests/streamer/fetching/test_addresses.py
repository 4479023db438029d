"""Addresses: what is public, what never is, and that every one of a name is looked at."""

from __future__ import annotations

import ipaddress
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import Cancellation
from streamer.engine.fetching.addresses import (
    AddressRules,
    allowed_addresses,
    never_an_endpoint,
    not_public,
    system_resolver,
)
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

PUBLIC = (
    "8.8.8.8",
    "1.1.1.1",
    "193.99.144.80",
    "2606:4700:4700::1111",
    "2a02:2e0:3fe:1001::1",
    "64:ff9b::808:808",
)
NOT_PUBLIC = (
    *(
        "127.0.0.1",
        "127.255.255.254",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
    ),
    *("100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9"),
    *(
        "192.88.99.1",
        "240.0.0.1",
        "0.1.2.3",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd12:3456::1",
    ),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808"),
    *("2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1"),
    *(
        "::7f00:1",
        "::8.8.8.8",
        "100::1",
        "3fff::1",
        "4000::1",
        "2a02:2e0::5efe:7f00:1",
        "2a02:2e0::200:5efe:a00:1",
    ),
)
NEVER = (
    "0.0.0.0",  # noqa: S104
    "::",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "ff02::1",
    "ff0e::1",
    "::ffff:0.0.0.0",
)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert not_public(ipaddress.ip_address(text)) is None


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_addresses_that_are_not_public_need_leave(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert not_public(address) is not None
    assert never_an_endpoint(address) is None
    with pytest.raises(RefusedAddressError, match="allowed_hosts"):
        AddressRules.of(SourcesSettings()).require_allowed("radio.example", address)
    AddressRules.of(SourcesSettings(private_addresses=True)).require_allowed("radio.example", address)


@pytest.mark.parametrize("text", NEVER)
def test_no_setting_allows_what_no_host_has(text: str) -> None:
    settings = SourcesSettings(private_addresses=True, allowed_hosts=("radio.example", text))
    with pytest.raises(RefusedAddressError):
        AddressRules.of(settings).require_allowed("radio.example", ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_what_python_knows_as_not_global_is_not_public(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert not_public(address) is not None
        assert not_public(ipaddress.IPv6Address(f"::ffff:{address}")) is not None
        assert not_public(ipaddress.IPv6Address(f"64:ff9b::{address}")) is not None


@given(st.ip_addresses(v=6))
def test_of_ipv6_only_global_unicast_and_what_leads_to_public_ipv4_is_public(
    address: ipaddress.IPv6Address,
) -> None:
    if not_public(address) is None:
        in_range = address in ipaddress.ip_network("2000::/3")
        embedded = address.ipv4_mapped is not None or address in ipaddress.ip_network("64:ff9b::/96")
        assert in_range or embedded
        assert not address.is_multicast


@pytest.mark.parametrize(
    ("allowed", "host", "address", "is_allowed"),
    [
        ("camera.local", "camera.local", "192.168.1.5", True),
        ("Camera.Local.", "camera.local.", "192.168.1.5", True),
        ("camera.local", "evil.camera.local", "192.168.1.5", False),
        ("192.168.1.5", "camera.example", "192.168.1.5", True),
        ("192.168.1.5", "camera.example", "::ffff:192.168.1.5", True),
        ("192.168.1.5", "camera.example", "192.168.1.6", False),
        ("192.168.1.0/24", "camera.example", "192.168.1.77", True),
        ("192.168.1.0/24", "camera.example", "192.168.2.77", False),
        ("[fd00::5]", "camera.example", "fd00::5", True),
        ("localhost", "127.0.0.1", "127.0.0.1", False),
    ],
)
def test_hosts_that_the_settings_allow(allowed: str, host: str, address: str, is_allowed: bool) -> None:
    rules = AddressRules.of(SourcesSettings(allowed_hosts=(allowed,)))
    if is_allowed:
        rules.require_allowed(host, ipaddress.ip_address(address))
    else:
        with pytest.raises(RefusedAddressError):
            rules.require_allowed(host, ipaddress.ip_address(address))


def _looked_up(cancel: Cancellation, *addresses: str, settings: SourcesSettings | None = None) -> list[str]:
    rules = AddressRules.of(settings or SourcesSettings())
    found = allowed_addresses(
        "radio.example", rules, lambda _: addresses, deadline_s=time.monotonic() + 5, cancel=cancel
    )
    return [str(address) for address in found]


def test_one_address_that_is_not_allowed_spoils_all(cancellation: Cancellation) -> None:
    assert _looked_up(cancellation, "8.8.8.8", "1.1.1.1", "8.8.8.8") == ["8.8.8.8", "1.1.1.1"]
    with pytest.raises(RefusedAddressError, match=r"127\.0\.0\.1"):
        _looked_up(cancellation, "8.8.8.8", "127.0.0.1")
    with pytest.raises(RefusedAddressError):
        _looked_up(cancellation, "8.8.8.8", "::1")


def test_a_name_without_addresses_or_with_nonsense_is_not_there(cancellation: Cancellation) -> None:
    with pytest.raises(FetchError, match="no address"):
        _looked_up(cancellation)
    with pytest.raises(FetchError, match="is none"):
        _looked_up(cancellation, "somewhere")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "localhost"])
def test_odd_spellings_of_loopback_are_judged_by_what_comes_out(
    host: str, cancellation: Cancellation
) -> None:
    with pytest.raises(RefusedAddressError, match="loopback"):
        allowed_addresses(
            host,
            AddressRules.of(SourcesSettings()),
            system_resolver,
            deadline_s=time.monotonic() + 10,
            cancel=cancellation,
        )


def test_a_resolver_that_does_not_answer_is_given_up(cancellation: Cancellation) -> None:
    answer = threading.Event()

    def resolver(_host: str) -> list[str]:
        answer.wait(20)
        return ["8.8.8.8"]

    try:
        with pytest.raises(FetchError, match="in time"):
            allowed_addresses(
                "radio.example",
                AddressRules.of(SourcesSettings()),
                resolver,
                deadline_s=time.monotonic() + 0.1,
                cancel=cancellation,
            )
    finally:
        answer.set()


def test_a_resolver_that_fails_says_why(cancellation: Cancellation) -> None:
    def resolver(_host: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(FetchError, match=r"radio\.example is not known: Name or service not known"):
        allowed_addresses(
            "radio.example",
            AddressRules.of(SourcesSettings()),
            resolver,
            deadline_s=time.monotonic() + 5,
            cancel=cancellation,
        )
