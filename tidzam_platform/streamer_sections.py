"""The sections of the settings that the streamer reads; ``tidzam_platform.settings`` puts them together."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from tidzam_platform.setting_sections import PathOrNone, Section


class GraphSettings(Section):
    """The realtime audio graph."""

    kind: Literal["auto", "jack", "clock"] = Field(
        "auto",
        description="What carries the audio: JACK, a graph of our own driven by a clock, or whichever can run.",
    )
    driver: Literal["dummy", "alsa"] = Field("dummy", description="JACK's driver: dummy needs no sound card.")
    device: str = Field(
        "hw:0", pattern=r"^[A-Za-z0-9:,=._-]+$", description="ALSA device of the driver alsa."
    )
    period_frames: int = Field(
        1024, ge=64, le=8192, description="Frames that JACK computes at a time, at 48 kHz; a power of two."
    )
    max_channels: int = Field(
        256, ge=1, le=1024, description="Most channels that are analysed at the same time."
    )
    ring_s: float = Field(
        10.0,
        ge=2.0,
        le=120.0,
        description="Seconds of audio that a reader may be behind before it loses samples.",
    )


class SourcesSettings(Section):
    """Where audio comes from, and what happens when it does not."""

    file: PathOrNone = Field(
        None,
        description="Sources that are always there: JSON as the original had it, or TOML (docs/sources.md).",
    )
    private_addresses: bool = Field(
        False, description="Whether a URL may lead to an address that is not public, e.g. of this network."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Names and addresses that a URL may lead to though they are not public."
    )
    file_folders: tuple[Path, ...] = Field(
        (), description="Folders whose files may be played, beside the archive; subfolders included."
    )
    max_sources: int = Field(200, ge=1, le=250, description="Most sources at the same time.")
    max_live_streams: int = Field(
        10, ge=0, le=250, description="Most browsers and phones that are heard at a time."
    )
    starts_at_once: int = Field(4, ge=1, le=100, description="Sources that may be starting at the same time.")
    no_samples_s: float = Field(
        10.0, gt=0, le=30, description="A live source that gives no samples for so long is started again."
    )
    zeros_s: float = Field(
        60.0,
        gt=0,
        description="A source that gives nothing but exact zeros for so long is said to be silent.",
    )
    restart_on_zeros: bool = Field(False, description="Whether such a source is also started again.")
    connect_s: float = Field(
        10.0, gt=0, description="How long a connection may take to be made and to answer."
    )
    backoff_max_s: float = Field(
        5.0,
        gt=0,
        description="Longest wait before a source is tried again; each wait is drawn from a growing range.",
    )
    buffer_s: float = Field(
        1.0,
        ge=0.1,
        le=10,
        description="How much audio of a live source waits before it is played: its delay.",
    )


class RecordingSettings(Section):
    """The archive that sources with `record` are written to."""

    file_s: int = Field(3600, ge=10, le=86_400, description="Length of one file of the archive.")
    bitrate_kbps: int = Field(64, ge=8, le=256, description="Of one channel, Opus.")


class MixerSettings(Section):
    """What people hear of a channel; the analyzer hears what the microphone gave."""

    policy_file: PathOrNone = Field(
        None, description="TOML file of rules that mute or turn down channels (docs/mixer.md)."
    )
    ramp_s: float = Field(
        0.02, gt=0, le=1, description="How long a change of level takes, so that it never clicks."
    )
    audit_mb: int = Field(
        10, ge=1, description="Size at which the log of the mixer's changes is rotated; one old one stays."
    )


class IcecastSettings(Section):
    """The server that people listen to."""

    enabled: bool = Field(True, description="Whether channels can be listened to.")
    host: str = Field("127.0.0.1", description="Address that Icecast listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of Icecast; 0 takes a free one.")
    max_listeners: int = Field(200, ge=1, description="Most listeners at the same time.")
    max_encoders: int = Field(
        100, ge=1, le=1000, description="Most channels that are encoded at the same time."
    )
    always_on: bool = Field(False, description="Whether channels are encoded though nobody listens.")
    bitrate_kbps: int = Field(
        64, ge=8, le=256, description="Of a channel that is listened to, Opus and Vorbis."
    )


class WebSettings(Section):
    """The Flask and Socket.IO API, and the console."""

    host: str = Field("127.0.0.1", description="Address that the web process listens on.")
    port: int = Field(8080, ge=0, le=65535, description="Port of the web process; 0 takes a free one.")
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Names by which it may be called in the Host header, beside localhost and addresses in numbers.",
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Origins of other sites whose pages may use it, e.g. https://map.example.org."
    )
    anonymous_may_listen: bool = Field(
        True,
        description="Whether looking and listening want no token; what changes something always wants one.",
    )
    max_connections: int = Field(
        300, ge=1, le=10_000, description="Open connections, Socket.IO's among them."
    )
    query_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="How long one question about detections may look through the archive; then the page ends early.",
    )
    live_role: Literal["listen", "label", "operate"] = Field(
        "listen",
        description="Least role of whoever may send a live stream; to have it kept wants label at least.",
    )


class SupervisionSettings(Section):
    """The processes that ``./tidzam start`` runs, and when one of them counts as broken."""

    processes: tuple[Literal["model-server", "engine", "analyzer", "web", "dagster"], ...] = Field(
        ("model-server", "engine", "analyzer", "web", "dagster"),
        min_length=1,
        description="Which processes run on this machine; what another machine runs is left out.",
    )
    ready_s: float = Field(
        120.0,
        gt=0,
        le=3600,
        description="How long a process may take until it is ready; `check` restarts one that is not by then.",
    )
    stop_s: float = Field(
        20.0,
        gt=0,
        le=600,
        description="How long a process may take to end in order before it is killed with all that it started.",
    )
    max_memory_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="`check` restarts a process that holds more than this share of the machine's memory.",
    )
    log_mb: int = Field(10, ge=1, le=1000, description="Size at which the log of a process is rotated.")
    log_files: int = Field(5, ge=1, le=100, description="How many old logs of a process stay.")
