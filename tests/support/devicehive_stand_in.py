"""A DeviceHive server's REST API: tokens, devices, notifications (docs.devicehive.com)."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from tests.support.http_stand_in import HttpStandIn, Reply, Request

_DEVICE = re.compile(r"/api/rest/device/([A-Za-z0-9-]+)")
_NOTIFICATION = re.compile(r"/api/rest/device/([A-Za-z0-9-]+)/notification")


class DeviceHiveStandIn(HttpStandIn):
    """Gives an access token for the refresh token ``refresh-me``; ``expire`` ends those that it gave.

    Attributes:
        devices: by id, as registered.
        notifications: (device id, notification), in order.
    """

    REFRESH_TOKEN = "refresh-me"

    def __init__(self) -> None:
        self.devices: dict[str, dict[str, Any]] = {}
        self.notifications: list[tuple[str, dict[str, Any]]] = []
        self._given = 0
        self._lock = threading.Lock()
        super().__init__()

    @property
    def api(self) -> str:
        return self.url("/api/rest")

    @property
    def ids(self) -> list[str]:
        """Of the messages that notifications carry."""
        return [one["parameters"]["id"] for _, one in self.notifications]

    def expire(self) -> None:
        """The access token that was given last is good for nothing any more."""
        self._given += 1

    def answer(self, request: Request) -> Reply:
        with self._lock:
            content = json.loads(request.body) if request.body else None
            if request.target == "/api/rest/token/refresh":
                if content != {"refreshToken": self.REFRESH_TOKEN}:
                    return _json(401, {"message": "Invalid refresh token"})
                self._given += 1
                return _json(201, {"accessToken": f"access-{self._given}"})
            if request.headers.get("authorization") != f"Bearer access-{self._given}":
                return _json(401, {"error": 401, "message": "Token expired"})
            return self._let_in(request, content)

    def _let_in(self, request: Request, content: Any) -> Reply:
        if match := _DEVICE.fullmatch(request.target):
            if request.method == "PUT":
                self.devices[match[1]] = content
                return Reply(204)
            if match[1] not in self.devices:
                return _json(404, {"error": 404, "message": "no such device"})
            return _json(200, {"id": match[1], **self.devices[match[1]]})
        if match := _NOTIFICATION.fullmatch(request.target):
            if match[1] not in self.devices:
                return _json(404, {"error": 404, "message": "no such device"})
            self.notifications.append((match[1], content))
            return _json(201, {"id": len(self.notifications), "timestamp": "2026-04-01T05:00:00.000"})
        return Reply(404)


def _json(status: int, content: Any) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json"})
