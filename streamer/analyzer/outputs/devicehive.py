"""DeviceHive: a notification of a device per detection (REST API 3.x, docs.devicehive.com)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from streamer.analyzer.outputs.answers import json_of, require_taken
from streamer.analyzer.outputs.http_sender import Answer, HttpSender
from streamer.analyzer.outputs.message import Message
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.specification import OutputSpecification, WebUrl, shown, taken_apart
from tidzam_platform.errors import OutputError

_JSON: Final = "application/json"
_NO_ACCESS: Final = 401


class DeviceHiveSpecification(OutputSpecification):
    """A device of a DeviceHive server.

    Attributes:
        url: of the REST API, e.g. ``https://playground.devicehive.com/api/rest``.
        device_id: whose notifications they are: letters, digits and dashes; the device is made where it is missing.
        device_name: what a new device is called.
        network_id: the network of a new device.
        refresh_token: a JSON Web Token that access tokens are fetched with; this or ``access_token``.
        access_token: a JSON Web Token; it ends some day, and then nothing is told until it is replaced.
        form: ``parameters``: notifications are named by what they are and have parameters; ``name``: the name of a
            detection's notification is ``[["<class>", score]]`` in JSON, as devicehive-audio-analysis had it.
    """

    kind: Literal["devicehive"] = "devicehive"
    url: WebUrl
    device_id: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    device_name: str = Field("Tidzam", min_length=1, max_length=100)
    network_id: int | None = Field(None, ge=1)
    refresh_token: Secret | None = None
    access_token: Secret | None = None
    form: Literal["parameters", "name"] = "parameters"

    @property
    def target(self) -> str:
        """API and device."""
        return f"{shown(self.url)} ({self.device_id})"

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.refresh_token is None) == (self.access_token is None):
            raise ValueError("write refresh_token, or access_token")
        return self


class DeviceHive(Output):
    """Tells one device."""

    def __init__(self, specification: DeviceHiveSpecification, reach: Reach) -> None:
        super().__init__(reach)
        self._specification = specification
        self._http = HttpSender(reach)
        self._access: str | None = None
        self._is_registered = False

    def deliver(self, messages: Sequence[Message]) -> int:
        """POST one notification."""
        try:
            if not self._is_registered:
                self._register()
            path = f"device/{self._specification.device_id}/notification"
            require_taken(self._request("POST", path, self._notification(messages[0])))
        except OutputError:
            self._is_registered = False
            raise
        return 1

    def close(self) -> None:
        """End."""
        self._http.close()
        super().close()

    def _notification(self, message: Message) -> dict[str, Any]:
        content = dict(message.content)
        timestamp = str(content.get("start") or content.get("at") or content["made_at"]).removesuffix("Z")
        if message.kind != "detection":
            return {"notification": message.kind, "timestamp": timestamp, "parameters": content}
        predictions = [[content["class_path"], content["score"]]]
        if self._specification.form == "name":
            name = json.dumps(predictions, ensure_ascii=False)
            return {"notification": name, "timestamp": timestamp, "parameters": {"id": message.id}}
        parameters = {**content, "predictions": predictions}
        return {"notification": message.kind, "timestamp": timestamp, "parameters": parameters}

    def _register(self) -> None:
        """Make the device, or leave it as it is."""
        path = f"device/{self._specification.device_id}"
        answer = self._request("GET", path)
        # What is not there and what we may not see are both 403 or 404 there.
        if answer.status in (403, 404):
            device: dict[str, Any] = {"name": self._specification.device_name}
            if self._specification.network_id is not None:
                device["networkId"] = self._specification.network_id
            answer = self._request("PUT", path, device)
        require_taken(answer)
        self._is_registered = True

    def _request(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Answer:
        """One request with an access token; a new one is fetched where the old one has ended."""
        was_fresh = self._access is None
        answer = self._send(method, path, content, access=self._access_token())
        if answer.status == _NO_ACCESS:
            self._access = None
            if not was_fresh:
                answer = self._send(method, path, content, access=self._access_token())
        return answer

    def _access_token(self) -> str:
        if self._access is None:
            if self._specification.access_token is not None:
                self._access = self._specification.access_token.read()
            else:
                assert self._specification.refresh_token is not None  # noqa: S101 - one of them is there
                token = self._specification.refresh_token.read()
                answer = self._send("POST", "token/refresh", {"refreshToken": token}, wants_body=True)
                require_taken(answer)
                self._access = str(json_of(answer).get("accessToken") or "")
                if not self._access.isascii() or not self._access.isprintable() or not self._access:
                    self._access = None
                    raise OutputError(f"{answer.url} answers without an access token")
        return self._access

    def _send(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        access: str | None = None,
        wants_body: bool = False,
    ) -> Answer:
        headers = {"Accept": _JSON}
        if access is not None:
            headers["Authorization"] = f"Bearer {access}"
        body = None
        if content is not None:
            headers["Content-Type"] = _JSON
            body = json.dumps(content, ensure_ascii=False).encode()
        url = taken_apart(f"{self._specification.url.rstrip('/')}/{path}")
        return self._http.send(method, url, headers=headers, body=body, wants_body=wants_body)
