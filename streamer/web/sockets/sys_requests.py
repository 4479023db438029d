"""The event ``sys``: what clients of the original ask of the source manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from serving.gateway.refusals import HttpRefusalError, bad_request
from streamer.web.core import WebCore
from streamer.web.schemas import LiveStream, SourceName, checked, checked_source, for_engine
from streamer.web.sockets.clients import Client
from streamer.web.sockets.live_streams import LiveStreams
from tidzam_platform.access import Role
from tidzam_platform.errors import SourceError

# The original answers what went wrong with these by "warning", with everything else by "error".
WARNED: Final = ("loadsource", "unloadsource")


class Reply(NamedTuple):
    """What a request comes to.

    Attributes:
        told: on the event ``sys`` to who asked; None where the original says nothing.
        acknowledged: to a client that asked for an acknowledgement.
        begins: number of the start of a source that was loaded: who asked is told as well if it cannot begin.
    """

    told: dict[str, Any] | None
    acknowledged: dict[str, Any]
    begins: int | None = None


class SysRequests:
    """Carries out ``{"sys": {COMMAND: ...}}``.

    Further commands (of the analyzer: ``classifier``) are added with ``add``.
    """

    def __init__(self, core: WebCore, live_streams: LiveStreams) -> None:
        self._core, self._live = core, live_streams
        self._commands: dict[str, Callable[[Client, Any], Reply]] = {
            "loadsource": self._load,
            "unloadsource": self._unload,
            "database": self._database,
            "add_livestream": self._add_live,
            "del_livestream": self._delete_live,
        }

    def add(self, command: str, carry_out: Callable[[Client, Any], Reply]) -> None:
        """Know another command; ``carry_out`` gets the client and what it sent under the command's name."""
        self._commands[command] = carry_out

    def command(self, request: Any) -> str:
        """Which command a request is.

        Raises:
            HttpRefusalError: it is none, or several (400).
        """
        if not isinstance(request, dict):
            raise bad_request("request must be a JSON.")  # in the words of the original
        asked = request.get("sys")
        if set(request) != {"sys"} or not isinstance(asked, dict) or len(asked) != 1:
            raise bad_request('a request is {"sys": {COMMAND: ...}}, with one command')
        (command,) = asked
        if command not in self._commands:
            raise bad_request(f"there is no command {command[:40]!r}: there are {', '.join(self._commands)}")
        return str(command)

    def carry_out(self, client: Client, request: dict[str, Any]) -> Reply:
        """Do what ``request`` says, of which ``command`` has looked at the form.

        Raises:
            HttpRefusalError: it is malformed, or the client may not.
            TidzamError: the engine could not, or would not.
        """
        ((command, value),) = request["sys"].items()
        return self._commands[command](client, value)

    def _load(self, client: Client, value: Any) -> Reply:
        if isinstance(value, dict) and set(value) == {"name"}:  # another way to say unloadsource
            return self._unload(client, value)
        self._core.gatekeeper.require(client.caller, Role.OPERATE)
        described = checked_source(value)
        asked = {"specification": for_engine(described), "keep": described.is_permanent}
        if described.is_permanent:
            status = self._core.engine.request("sources.add", **asked)
        else:
            status = self._core.engine.request_owned("sources.add", client.owner, **asked)
        return _acknowledged("loadsource", status)._replace(begins=int(status["number"]))

    def _unload(self, client: Client, value: Any) -> Reply:
        self._core.gatekeeper.require(client.caller, Role.OPERATE)
        name = checked(SourceName, value, "unloadsource").name
        self._core.engine.request("sources.remove", name=name)
        return _acknowledged("unloadsource", {"name": name})

    def _database(self, client: Client, value: Any) -> Reply:
        self._core.gatekeeper.require(client.caller, Role.LISTEN)
        _require_empty("database", value)
        answer = {"sys": {"database": self._core.engine.request("database")["database"]}}
        return Reply(answer, answer)

    def _add_live(self, client: Client, value: Any) -> Reply:
        described = LiveStream() if value in ("", None) else checked(LiveStream, value, "add_livestream")
        opened = self._live.open(client, described)
        return Reply(opened, opened)

    def _delete_live(self, client: Client, value: Any) -> Reply:
        _require_empty("del_livestream", value)
        if client.live_rate_hz is None:
            raise SourceError("this client has no live stream")
        self._live.close(client)
        return _acknowledged("del_livestream", "")


def _acknowledged(command: str, answer: Any) -> Reply:
    return Reply(None, {"sys": {command: answer}})


def _require_empty(command: str, value: Any) -> None:
    if value not in ("", None):
        raise HttpRefusalError(400, "bad_request", f'{command} takes nothing: write {{"{command}": ""}}')
