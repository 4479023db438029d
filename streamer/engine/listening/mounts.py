"""Mounts: what people listen to, and under which path of Icecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from streamer.engine.encoding.arguments import printable
from tidzam_platform.errors import SourceError
from tidzam_platform.names import split_channel, valid_source

Format = Literal["opus", "vorbis", "copy"]

OGG_TYPE: Final = "audio/ogg"
EXTENSIONS: Final[dict[Format, str]] = {"opus": "opus", "vorbis": "ogg"}

# Containers whose bytes a listener may join in the middle, with the name and the type that they are sent under.
COPIED: Final = {
    "ogg": ("ogg", OGG_TYPE),
    "mp3": ("mp3", "audio/mpeg"),
    "aac": ("aac", "audio/aac"),
    "mpegts": ("ts", "video/mp2t"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a microphone stands, in degrees."""

    latitude: float
    longitude: float

    def __str__(self) -> str:
        return f"{self.latitude:.6f},{self.longitude:.6f}"


@dataclass(frozen=True, slots=True)
class Mount:
    """One stream.

    Attributes:
        path: of Icecast, with its slash.
        source: the name of the source.
        channel: the name of the channel, ``<source>:out_<n>``; empty for a copy of all that the source gives.
        format: what it is encoded to, or a copy.
        content_type: of the answer.
        title: for people.
        place: where it is heard, if that is known.
    """

    path: str
    source: str
    channel: str
    format: Format
    content_type: str
    title: str
    place: Place | None = None

    def tags(self) -> dict[str, str]:
        """Comments of the stream."""
        found = {"title": self.title, "artist": self.source}
        return found if self.place is None else {**found, "location": str(self.place)}

    def as_json(self) -> dict[str, Any]:
        """For the directory of mounts."""
        return {
            "mount": self.path,
            "source": self.source,
            "channel": self.channel or None,
            "format": self.format,
            "content_type": self.content_type,
            "title": self.title,
            "latitude": None if self.place is None else self.place.latitude,
            "longitude": None if self.place is None else self.place.longitude,
        }


@dataclass(frozen=True, slots=True)
class ListenedChannel:
    """A channel that people may listen to. ``title`` is for people; by default it is the channel's name."""

    name: str
    title: str = ""
    place: Place | None = None


def channel_mounts(channel: ListenedChannel) -> list[Mount]:
    """The mounts of a channel: ``/<source>-out_<n>.opus``, and ``.ogg`` as in the original.

    Raises:
        InvalidNameError: it is no name of a channel.
    """
    source, number = split_channel(channel.name)
    title = printable(channel.title) or channel.name
    return [
        Mount(
            f"/{source}-out_{number}.{extension}",
            source,
            channel.name,
            mount_format,
            OGG_TYPE,
            title,
            channel.place,
        )
        for mount_format, extension in EXTENSIONS.items()
    ]


def copy_mount(source: str, container: str, title: str = "", place: Place | None = None) -> Mount:
    """The mount of a source that is passed through: ``/<source>.<extension of its container>``.

    Raises:
        InvalidNameError: it is no name of a source.
        SourceError: who begins to listen in the middle of that container cannot decode it.
    """
    valid_source(source)
    if container not in COPIED:
        raise SourceError(
            f"source {source!r}: {container} cannot be passed on as it is, only {', '.join(COPIED)} can: "
            "leave out format: copy, and its channels can be listened to"
        )
    extension, content_type = COPIED[container]
    return Mount(
        f"/{source}.{extension}", source, "", "copy", content_type, printable(title) or source, place
    )
