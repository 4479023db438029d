"""Everything that lets people listen: mounts, encoders, Icecast."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streamer.engine.listening.copy_stream import CopyStream
from streamer.engine.listening.credentials import load_credentials
from streamer.engine.listening.icecast import Icecast
from streamer.engine.listening.listener_audio import ListenerAudio
from streamer.engine.listening.mounts import ListenedChannel, Mount, Place, channel_mounts, copy_mount
from streamer.engine.listening.relay_server import RelayServer
from streamer.engine.listening.streams import CopiedStream, EncodedStream, Stream
from streamer.engine.mixer import Mixer
from streamer.engine.rings import ChannelRings
from tidzam_platform.errors import ProcessError, SourceError
from tidzam_platform.streamer_sections import IcecastSettings


class Listening:
    """Each channel at ``/<source>-out_<n>.opus`` and ``.ogg``, copied sources at ``/<source>.<ext>``. For any thread.

    Args:
        settings: the section ``icecast``.
        home: the data folder: ``secrets/icecast.json``, ``logs/icecast.log``.
        rings: of all channels.
        slot_of: the slot of a channel by its name, None while it has none. Asked often; must not wait.
        mixer: between a channel and its listeners.

    Raises:
        SettingsError: the credentials cannot be used.
    """

    def __init__(
        self,
        settings: IcecastSettings,
        home: Path,
        rings: ChannelRings,
        slot_of: Callable[[str], int | None],
        mixer: Mixer,
    ) -> None:
        self._settings, self._rings, self._slot_of, self._mixer = settings, rings, slot_of, mixer
        credentials = load_credentials(home)
        self._lock = threading.Lock()
        self._channels: list[Mount] = []
        self._copies: dict[str, tuple[Mount, CopyStream]] = {}
        self._relays = RelayServer(
            credentials, self._open, max_encoders=settings.max_encoders, bitrate_kbps=settings.bitrate_kbps
        )
        self.icecast = Icecast(settings, credentials, self._relays.port, home / "logs")

    def start(self) -> None:
        """Start to serve relays, and Icecast.

        Raises:
            MissingSystemPartError: Icecast is not installed.
            ProcessError: it does not start.
        """
        self._relays.start()
        try:
            self.icecast.start()
        except BaseException:
            self._relays.stop()
            raise

    def stop(self) -> None:
        """End Icecast and all encoders. May be called again."""
        self.icecast.stop()
        self._relays.stop()

    def set_channels(self, channels: Sequence[ListenedChannel]) -> None:
        """These are the channels from now on; listeners of others are ended.

        Raises:
            InvalidNameError: one is no name of a channel. Nothing has changed then.
        """
        mounts = [mount for channel in channels for mount in channel_mounts(channel)]
        with self._lock:
            self._channels = mounts
            self._publish()

    def open_copy(
        self, source: str, container: str, *, title: str = "", place: Place | None = None
    ) -> CopyStream:
        """Pass a source on as it is; its feeder hands each piece that it reads to ``publish`` of the answer.

        A source that was connected again goes on where it was, and its listeners stay, unless the container is another.

        Raises:
            InvalidNameError: ``source`` is no name of a source.
            SourceError: that container cannot be passed on; what was passed on before has ended.
        """
        try:
            mount = copy_mount(source, container, title, place)
        except SourceError:
            self.close_copy(source)
            raise
        with self._lock:
            before = self._copies.get(source)
            if before is not None and before[0] == mount:
                before[1].begin_again()
                return before[1]
            stream = CopyStream(container)
            self._copies[source] = (mount, stream)
            self._publish()
        if before is not None:
            before[1].close()
        return stream

    def pause_copy(self, source: str) -> None:
        """The source is being connected again: who listens stays, who comes now is refused until ``open_copy``."""
        with self._lock:
            found = self._copies.get(source)
        if found is not None:
            found[1].pause()

    def close_copy(self, source: str) -> None:
        """The source is gone; nothing happens if it was not passed on."""
        with self._lock:
            before = self._copies.pop(source, None)
            if before is None:
                return
            self._publish()
        before[1].close()

    def copy_path(self, source: str) -> str | None:
        """Path of the mount at which a source is passed on as it is; None if it is not."""
        with self._lock:
            found = self._copies.get(source)
        return None if found is None else found[0].path

    def directory(self) -> list[dict[str, Any]]:
        """All mounts: where to listen to each, whether it is streamed now, to how many (None: Icecast does not say)."""
        try:
            listeners: dict[str, int] | None = self.icecast.known_mounts()
        except ProcessError:
            listeners = None
        streaming = self._relays.listened()
        with self._lock:
            mounts = self._mounts()
        return [
            {
                **mount.as_json(),
                "url": f"http://{self.icecast.address}{mount.path}",
                "streaming": mount.path in streaming,
                "listeners": None if listeners is None else listeners.get(mount.path, 0),
                "known": listeners is not None and mount.path in listeners,
            }
            for mount in mounts
        ]

    def wait_until_known(self, deadline_s: float) -> bool:
        """Wait until Icecast knows all mounts, which takes it two or three seconds; whether it did so in time."""
        end_s = time.monotonic() + deadline_s
        while time.monotonic() < end_s:
            with self._lock:
                wanted = {mount.path for mount in self._mounts()}
            try:
                if wanted == self.icecast.known_mounts().keys():
                    return True
            except ProcessError:
                pass
            time.sleep(0.1)
        return False

    def status(self) -> dict[str, Any]:
        """For people."""
        return {"icecast": self.icecast.status(), **self._relays.status(), "mounts": len(self._mounts())}

    def counts(self) -> dict[str, int]:
        """Counters, for metrics."""
        return {**self._relays.counts(), **self.icecast.counts(), "mounts": len(self._mounts())}

    def _publish(self) -> None:
        mounts = self._mounts()
        self._relays.set_mounts({mount.path: mount for mount in mounts})
        self.icecast.set_mounts(mounts)

    def _mounts(self) -> list[Mount]:
        """In the order of their paths; where a copy would have the path of a channel, the channel has it."""
        by_path = {mount.path: mount for mount, _ in self._copies.values()}
        by_path |= {mount.path: mount for mount in self._channels}
        return [by_path[path] for path in sorted(by_path)]

    def _open(self, mount: Mount, now_s: float) -> Stream | None:
        if mount.format == "copy":
            with self._lock:
                found = self._copies.get(mount.source)
            if found is None or found[0] != mount or found[1].is_away:
                return None
            return CopiedStream(found[1].open())
        audio = ListenerAudio(self._rings, lambda: self._slot_of(mount.channel), now_s)
        return EncodedStream(
            mount,
            audio,
            self._mixer.stage(mount.channel),
            rate_hz=self._rings.rate_hz,
            bitrate_kbps=self._settings.bitrate_kbps,
            now_s=now_s,
        )
