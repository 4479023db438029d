"""What other processes may tell the engine; docs/engine.md lists the commands."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, validate_call

from streamer.engine.archive_times import archive_times
from streamer.engine.channels import Channel
from streamer.engine.control.server import Handler
from streamer.engine.core import Engine
from streamer.engine.metering import Sound
from streamer.engine.sources.allowed_origin import require_allowed
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.catalog import Catalog
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import SourceError

_STRICT: Final = ConfigDict(strict=True)
_MAX_AUDIT: Final = 1000
_MAX_WAIT_S: Final = 60.0


def commands_of(engine: Engine) -> Mapping[str, Handler]:
    """The handlers of an engine, by name of the command."""
    commands = _Commands(engine)
    handlers: dict[str, Handler] = {
        "status": commands.status,
        "counts": engine.counts,
        "sources.list": commands.list_sources,
        "sources.get": commands.get_source,
        "sources.add": commands.add_source,
        "sources.wait": commands.wait_for_source,
        "sources.remove": commands.remove_source,
        "sources.seek": commands.seek,
        "owner.gone": commands.owner_gone,
        "database": commands.database,
        "channels.list": commands.list_channels,
        "mixer.set": commands.set_mixer,
        "mixer.release": commands.release_mixer,
        "mixer.audit": commands.audit,
        "mixer.classes": commands.mixer_classes,
        "channels.heard": commands.channels_heard,
        "live.open": commands.open_live,
        "live.push": commands.push_live,
        "live.close": commands.close_live,
    }
    return {name: validate_call(config=_STRICT)(handler) for name, handler in handlers.items()}


class _Commands:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def status(self) -> dict[str, Any]:
        engine = self._engine
        return {
            "pid": os.getpid(),
            "since": format_utc(engine.since),
            "home": str(engine.settings.home),
            "graph": engine.graph.status(),
            "sources": len(engine.sources.list()),
            "channels": len(engine.table.list()),
            "live_streams": engine.sources.live.status(),
            "mixer": engine.mixer.status(),
            "listening": engine.listening.status() if engine.listening else {},
        }

    def list_sources(self) -> dict[str, Any]:
        return {"sources": [self._shown(status) for status in self._engine.sources.list()]}

    def get_source(self, *, name: str) -> dict[str, Any]:
        return self._shown(self._engine.sources.status(name))

    def add_source(
        self,
        *,
        specification: dict[str, Any],
        keep: bool | None = None,
        owner: str = "",
        must_be_allowed: bool = False,
    ) -> dict[str, Any]:
        if must_be_allowed:
            require_allowed(SourceSpecification.parse(specification), self._engine.settings)
        added = self._engine.sources.add(
            specification, keep=keep, owner=owner, must_have_recordings=must_be_allowed
        )
        return self._shown(added)

    def wait_for_source(
        self, *, number: int, wait_s: Annotated[float, Field(ge=0, le=_MAX_WAIT_S)]
    ) -> dict[str, Any]:
        return self._shown(self._engine.sources.wait(number, wait_s))

    def remove_source(self, *, name: str, owner: str = "") -> dict[str, Any]:
        if owner and (theirs := self._engine.sources.status(name)["owner"]) and theirs != owner:
            raise SourceError(f"source {name!r} was loaded by somebody else: who loaded it may remove it")
        self._engine.sources.remove(name)
        return {}

    def seek(self, *, name: str, date: str) -> dict[str, Any]:
        return self._shown(self._engine.sources.seek(name, date))

    def owner_gone(self, *, owner: str) -> dict[str, Any]:
        return {"closed": self._engine.sources.remove_owned(owner) if owner else []}

    def database(self) -> dict[str, Any]:
        with (
            closing(Catalog.open(self._engine.settings.catalog_url)) as catalog,
            catalog.session() as session,
        ):
            return {"database": archive_times(session)}

    def list_channels(self) -> dict[str, Any]:
        reasons = {status["name"]: status for status in self._engine.sources.list()}
        return {
            "channels": [
                self._channel(channel, reasons.get(channel.source)) for channel in self._engine.table.list()
            ]
        }

    def set_mixer(
        self,
        *,
        channel: str,
        by: str,
        gain_db: float | None = None,
        mute: bool | None = None,
        solo: bool | None = None,
    ) -> dict[str, Any]:
        self._known(channel)
        self._engine.mixer.set(channel, gain_db=gain_db, mute=mute, solo=solo, by=by)
        self._engine.events.publish("mixer", channel=channel)
        return self._channel(self._known(channel), None)

    def release_mixer(self, *, channel: str, by: str = "somebody") -> dict[str, Any]:
        self._known(channel)
        self._engine.mixer.release(channel, by=by)
        self._engine.events.publish("mixer", channel=channel)
        return self._channel(self._known(channel), None)

    def audit(self, *, limit: int = 100) -> dict[str, Any]:
        return {"changes": self._engine.mixer.audit.tail(min(max(limit, 1), _MAX_AUDIT))[::-1]}

    def mixer_classes(self) -> dict[str, Any]:
        return {"classes": sorted(self._engine.mixer.class_paths)}

    def channels_heard(self, *, scores: dict[str, dict[str, float]]) -> dict[str, Any]:
        known = {name: heard for name, heard in scores.items() if self._engine.table.find(name) is not None}
        self._engine.metering.note_heard(known)
        return {"channels": len(known)}

    def open_live(self, *, owner: str, rate_hz: int = 48_000, storage: bool = False) -> dict[str, Any]:
        stream = self._engine.sources.live.open(owner)
        try:
            kept_as = self._engine.keep_stream(stream) if storage else ""
        except BaseException:
            self._engine.sources.live.close_stream(stream.info.number)
            raise
        return {
            "portname": stream.info.port,
            "source": stream.info.port.partition(":")[0],
            "samplerate": stream.info.rate_hz,
            "pushed_at_hz": rate_hz,
            "filename": kept_as,
        }

    def push_live(self, *, owner: str, pcm: str, rate_hz: int) -> dict[str, Any]:
        try:
            samples = base64.b64decode(pcm, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SourceError("pcm is no base64: encode little-endian 16-bit samples so") from error
        stream = self._engine.sources.live.of_owner(owner)
        stream.push(samples, rate_hz)
        return {"dropped_frames": stream.status()["counts"]["dropped_pushed_frames"]}

    def close_live(self, *, owner: str) -> dict[str, Any]:
        return {"closed": self._engine.sources.live.close_owned(owner)}

    def _known(self, name: str) -> Channel:
        channel = self._engine.table.find(name)
        if channel is None:
            raise SourceError(f"there is no channel {name}; ./tidzam status shows those that there are")
        return channel

    def _shown(self, status: dict[str, Any]) -> dict[str, Any]:
        """A source's status as docs/engine.md has it."""
        name = status["name"]
        return {
            **status,
            "archive": self._engine.archiving.status_of(name),
            "copied_at": self._engine.copy_of(name),
        }

    def _channel(self, channel: Channel, source: dict[str, Any] | None) -> dict[str, Any]:
        engine = self._engine
        sound, mix = engine.metering.sound_of(channel.name), engine.mixer.channel(channel.name)
        meters = sound.meters if sound else None
        return {
            "channel": channel.name,
            "source": channel.source,
            "number": channel.number,
            "sounding": bool(sound and sound.sounding),
            "since": format_utc(sound.since) if sound else None,
            "why": _why(channel, sound, source),
            "peak_dbfs": meters.peak_dbfs if meters else None,
            "rms_dbfs": meters.rms_dbfs if meters else None,
            "clipped": meters.clipped_frames if meters else 0,
            "hum_share": meters.hum_share if meters else 0.0,
            "latitude": channel.specification.latitude,
            "longitude": channel.specification.longitude,
            "gain_db": mix.gain_db,
            "muted": mix.mute,
            "solo": mix.solo,
            "heard": mix.heard,
            "by": mix.by or ", ".join(mix.rules),
            "mounts": engine.mounts_of(channel.name),
        }


def _why(channel: Channel, sound: Sound | None, source: dict[str, Any] | None) -> str:
    """Why it is silent, or not analysed; empty where all is well."""
    if not channel.is_recorded:
        return f"it is heard, but not analysed: {channel.unrecorded_because}"
    if sound is not None and (sound.sounding or sound.lost_because):
        return sound.lost_because
    if source is not None and source["state"] != "playing":
        return f"its source is {source['state']}: {source['reason']}"
    return "it has just come" if sound is None else "nothing but exact zeros comes"
