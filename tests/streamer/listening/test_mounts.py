"""Mounts of channels and sources, and the configuration that Icecast reads of them."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest

from streamer.engine.listening import ListenedChannel, Place, channel_mounts, copy_mount
from streamer.engine.listening.credentials import IcecastCredentials
from streamer.engine.listening.icecast_config import icecast_config
from streamer.engine.listening.relay_request import parse_request, stream_head
from tidzam_platform.errors import InvalidNameError, SourceError
from tidzam_platform.streamer_sections import IcecastSettings

CREDENTIALS = IcecastCredentials(
    source_password="s" * 20,
    relay_user="relay&<user>",
    relay_password="p<&>\"'" * 5,
    admin_user="admin",
    admin_password="a" * 20,
)


def _read(config: bytes) -> Element:
    return fromstring(config)  # noqa: S314 - our own


def test_a_channel_has_two_mounts_named_as_the_original_did() -> None:
    opus, ogg = channel_mounts(ListenedChannel("north-marsh:out_12", "North", Place(42.5, -71.25)))
    assert (opus.path, opus.format) == ("/north-marsh-out_12.opus", "opus")
    assert (ogg.path, ogg.format) == ("/north-marsh-out_12.ogg", "vorbis")
    assert opus.tags() == {"title": "North", "artist": "north-marsh", "location": "42.500000,-71.250000"}


@pytest.mark.parametrize("name", ["marsh", "marsh:out_0", "../x:out_1", "a/b:out_1", "marsh:out_1\n"])
def test_what_is_no_channel_gets_no_mount(name: str) -> None:
    with pytest.raises(InvalidNameError):
        channel_mounts(ListenedChannel(name))


@pytest.mark.parametrize(
    ("container", "path", "content_type"),
    [
        ("mp3", "/radio.mp3", "audio/mpeg"),
        ("ogg", "/radio.ogg", "audio/ogg"),
        ("aac", "/radio.aac", "audio/aac"),
        ("mpegts", "/radio.ts", "video/mp2t"),
    ],
)
def test_a_copy_is_called_by_its_container(container: str, path: str, content_type: str) -> None:
    mount = copy_mount("radio", container)
    assert (mount.path, mount.content_type, mount.format) == (path, content_type, "copy")


@pytest.mark.parametrize("container", ["wav", "mp4", "flac", "../x"])
def test_what_nobody_could_join_is_not_copied(container: str) -> None:
    with pytest.raises(SourceError, match="cannot be passed on"):
        copy_mount("radio", container)


def test_a_title_cannot_add_headers() -> None:
    title = "Marsh\r\nX-Evil: 1\r\n\r\n<script>\0 ü"
    (mount, _) = channel_mounts(ListenedChannel("marsh:out_1", title, Place(1, 2)))
    head = stream_head(mount, 64)
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1
    assert b"\r\nX-Evil" not in head
    assert "ice-name: Marsh  X-Evil: 1    <script>  ü\r\n".encode() in head
    assert b"ice-url: geo:1.000000,2.000000\r\n" in head


def test_the_configuration_has_a_relay_a_mount_and_room_for_all() -> None:
    mounts = [
        mount for number in range(1, 31) for mount in channel_mounts(ListenedChannel(f"marsh:out_{number}"))
    ]
    settings = IcecastSettings(port=8000, host="127.0.0.1", max_encoders=40, max_listeners=50)
    root = _read(icecast_config(settings, CREDENTIALS, mounts, port=8123, relay_port=4321))
    relays = root.findall("relay")
    assert [relay.findtext("mount") for relay in relays] == [mount.path for mount in mounts]
    assert {relay.findtext("local-mount") for relay in relays} == {mount.path for mount in mounts}
    assert {
        (relay.findtext("server"), relay.findtext("port"), relay.findtext("on-demand")) for relay in relays
    } == {("127.0.0.1", "4321", "1")}
    assert relays[0].findtext("password") == CREDENTIALS.relay_password
    assert (root.findtext("listen-socket/port"), root.findtext("listen-socket/bind-address")) == (
        "8123",
        "127.0.0.1",
    )
    assert int(root.findtext("limits/clients") or 0) >= 90
    assert int(root.findtext("limits/sources") or 0) >= 60
    assert root.findtext("limits/burst-size") == "0"
    assert root.findtext("fileserve") == "0"
    always = icecast_config(
        settings.model_copy(update={"always_on": True}), CREDENTIALS, mounts, port=1, relay_port=2
    )
    assert {relay.findtext("on-demand") for relay in _read(always).findall("relay")} == {"0"}


def test_requests_of_relays_are_read_and_others_are_not() -> None:
    request = parse_request(b"GET /a.opus HTTP/1.0\r\nHost: x\r\nauthorization:  Basic eA== \r\n\r\n")
    assert request is not None
    assert (request.method, request.path, request.authorization) == ("GET", "/a.opus", "Basic eA==")
    assert parse_request(b"GET /a.opus HTTP/1.0\r\nHost") is None
    for nonsense in (
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /x\r\n\r\n",
        b"GET x HTTP/1.0\r\n\r\n",
        b"\xff" * 9000,
        b"G /x HTTP/1.0\r\nnonsense\r\n\r\n",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - that it is refused is all
            parse_request(nonsense)
