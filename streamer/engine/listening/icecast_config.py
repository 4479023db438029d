"""The configuration of Icecast 2.4, written from settings and mounts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from streamer.engine.listening.credentials import IcecastCredentials
from streamer.engine.listening.mounts import Mount
from tidzam_platform.streamer_sections import IcecastSettings

RETRY_S: Final = 5  # so long Icecast leaves a relay alone that failed
_OTHER_CLIENTS: Final = 30  # questions for statistics, and listeners who are just being refused
_QUEUE_S: Final = 20  # of a stream, that a listener may be behind before Icecast drops it
_LEAST_QUEUE_BYTES: Final = 1 << 17
_SOURCE_TIMEOUT_S: Final = 120  # while a copied source is connected again nothing comes; its listeners stay
_NOWHERE: Final = "/nonexistent"


def icecast_config(
    settings: IcecastSettings,
    credentials: IcecastCredentials,
    mounts: Iterable[Mount],
    *,
    port: int,
    relay_port: int,
) -> bytes:
    """``icecast.xml``.

    Each mount is a relay that Icecast pulls from the engine when somebody listens (or always). Nothing is served from
    files, so there are no public pages; statistics want the administrator's password. New listeners get no burst of
    what was sent before: they would hear everything later by it.

    Args:
        settings: the section ``icecast``.
        credentials: of this home.
        mounts: that there are.
        port: that Icecast listens on.
        relay_port: of 127.0.0.1, where the engine gives the streams.
    """
    root = Element("icecast")
    for name, text in (
        ("location", "Tidzam"),
        ("admin", "tidzam"),
        ("hostname", settings.host),
        ("server-id", "Tidzam"),
    ):
        _add(root, name, text)
    listed = list(mounts)
    _limits(root, settings, len(listed))
    authentication = SubElement(root, "authentication")
    _add(authentication, "source-password", credentials.source_password)
    _add(authentication, "admin-user", credentials.admin_user)
    _add(authentication, "admin-password", credentials.admin_password)
    listen = SubElement(root, "listen-socket")
    _add(listen, "port", port)
    _add(listen, "bind-address", settings.host)
    _add(root, "master-update-interval", RETRY_S)
    for mount in listed:
        relay = SubElement(root, "relay")
        _add(relay, "server", "127.0.0.1")
        _add(relay, "port", relay_port)
        _add(relay, "mount", mount.path)
        _add(relay, "local-mount", mount.path)
        _add(relay, "username", credentials.relay_user)
        _add(relay, "password", credentials.relay_password)
        _add(relay, "relay-shoutcast-metadata", 0)
        _add(relay, "on-demand", 0 if settings.always_on else 1)
    _add(root, "fileserve", 0)
    paths = SubElement(root, "paths")
    for name in ("basedir", "logdir", "webroot", "adminroot"):
        _add(paths, name, _NOWHERE)
    logging = SubElement(root, "logging")
    for name, text in (("accesslog", "-"), ("errorlog", "-"), ("loglevel", "3")):  # "-" is standard error
        _add(logging, name, text)
    _add(SubElement(root, "security"), "chroot", 0)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _limits(root: Element, settings: IcecastSettings, mounts: int) -> None:
    queue_bytes = max(_QUEUE_S * settings.bitrate_kbps * 1000 // 8, _LEAST_QUEUE_BYTES)
    limits = SubElement(root, "limits")
    # A relay counts as a client, too.
    _add(limits, "clients", settings.max_listeners + settings.max_encoders + _OTHER_CLIENTS)
    _add(limits, "sources", max(settings.max_encoders, 1) + mounts)
    _add(limits, "queue-size", queue_bytes)
    _add(limits, "header-timeout", 15)
    _add(limits, "source-timeout", _SOURCE_TIMEOUT_S)
    _add(limits, "burst-size", 0)


def _add(parent: Element, name: str, text: object) -> None:
    SubElement(parent, name).text = str(text)
