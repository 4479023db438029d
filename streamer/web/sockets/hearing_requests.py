"""Commands of the event ``sys`` about what is heard: ``classifier`` and ``subscribe``."""

from __future__ import annotations

from typing import Any

from serving.gateway.refusals import bad_request
from streamer.web.core import WebCore
from streamer.web.schemas import checked
from streamer.web.sockets.clients import Client
from streamer.web.sockets.subscription import Subscribing, Subscription
from streamer.web.sockets.sys_requests import Reply
from tidzam_platform.access import Role


class HearingRequests:
    """Carries them out; ``SysRequests.add`` makes them known."""

    def __init__(self, core: WebCore) -> None:
        self._core = core

    def classifier(self, client: Client, value: Any) -> Reply:
        """``{"list": ""}``: the classes of the generation that hears now, as the original answers it.

        Raises:
            HttpRefusalError: it says something else, or the client may not.
            TidzamError: the analyzer does not answer.
        """
        self._core.gatekeeper.require(client.caller, Role.LISTEN)
        if value != {"list": ""}:
            raise bad_request('classifier takes {"list": ""}')
        known = self._core.analyzer.request_quickly("classes")["classes"]
        answer = {"sys": {"classifier": {"list": known}}}
        return Reply(answer, answer)

    def subscribe(self, client: Client, value: Any) -> Reply:
        """``{"channels": [PATTERN, ...], "form": ...}``, both may be left out: what the client is told from now on.

        Raises:
            HttpRefusalError: it says something else, or the client may not.
        """
        self._core.gatekeeper.require(client.caller, Role.LISTEN)
        wanted = checked(Subscribing, value, "subscribe")
        client.subscription = Subscription(wanted.channels, wanted.form)
        return Reply(None, {"sys": {"subscribe": wanted.model_dump(mode="json")}})
