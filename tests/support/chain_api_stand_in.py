"""A site of chain-api: devices, sensors and data in HAL, in pages, as github.com/ResEnv/chain-api serves them."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.http_stand_in import HttpStandIn, Reply, Request

_HAL = {"Content-Type": "application/hal+json"}


class ChainApiStandIn(HttpStandIn):
    """One site at ``/sites/1``; what is POSTed wants the user ``tidzam`` with the password ``marsh``.

    Attributes:
        devices: names.
        sensors: (device, metric).
        data: (device, metric) -> [(timestamp, value)].
        page_size: of lists.
    """

    USER, PASSWORD = "tidzam", "marsh"

    def __init__(self, page_size: int = 3) -> None:
        self.devices: list[str] = []
        self.sensors: list[tuple[str, str]] = []
        self.data: dict[tuple[str, str], list[tuple[str, float]]] = {}
        self.page_size = page_size
        self.base = ""  # of links; behind a proxy it may be another than the address
        self._lock = threading.Lock()
        super().__init__()

    @property
    def site(self) -> str:
        return self.url("/sites/1")

    def answer(self, request: Request) -> Reply:
        with self._lock:
            parts = urlsplit(request.target)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if request.method == "POST":
                return self._post(request, parts.path, query)
            return self._get(parts.path, query)

    def values(self) -> dict[tuple[str, str], list[str]]:
        """The times of all data, in order of coming."""
        return {key: [at for at, _ in found] for key, found in self.data.items()}

    def _get(self, path: str, query: dict[str, str]) -> Reply:
        if path == "/sites/1":
            return self._hal({"name": "marsh"}, {"ch:devices": self._link("/devices/?site_id=1", "Devices")})
        if path == "/devices/":
            items = [self._link(f"/devices/{n}", name) for n, name in enumerate(self.devices)]
            return self._list("/devices/?site_id=1", "/devices/create?site_id=1", items, query)
        if path == "/sensors/":
            device = int(query["device_id"])
            items = [
                self._link(f"/sensors/{n}", metric)
                for n, (owner, metric) in enumerate(self.sensors)
                if owner == self.devices[device]
            ]
            address = f"/sensors/?device_id={device}"
            return self._list(address, f"/sensors/create?device_id={device}", items, query)
        kind, _, number = path.strip("/").partition("/")
        if kind == "devices" and int(number) < len(self.devices):
            return self._device(int(number))
        if kind == "sensors" and int(number) < len(self.sensors):
            return self._sensor(int(number))
        if path == "/sensordata/":
            key = self.sensors[int(query["sensor_id"])]
            form = self._link(f"/sensordata/create?sensor_id={query['sensor_id']}", "Add Data")
            data = [{"timestamp": at, "value": value} for at, value in self.data.get(key, [])]
            return self._hal({"dataType": "float", "data": data}, {"createForm": form})
        return Reply(404)

    def _post(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        wanted = base64.b64encode(f"{self.USER}:{self.PASSWORD}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            return Reply(401)
        content = json.loads(request.body)
        if path == "/devices/create":
            self.devices.append(content["name"])
            return self._device(len(self.devices) - 1, status=201)
        if path == "/sensors/create":
            if content["sensor-type"] != "scalar" or content["unit"] != "boolean":
                return Reply(400)
            self.sensors.append((self.devices[int(query["device_id"])], content["metric"]))
            return self._sensor(len(self.sensors) - 1, status=201)
        if path == "/sensordata/create":
            key = self.sensors[int(query["sensor_id"])]
            at = content["timestamp"].replace(" ", "T")
            self.data.setdefault(key, []).append((at, content["value"]))
            return self._hal({"timestamp": at, "value": content["value"]}, {}, status=201)
        return Reply(404)

    def _device(self, number: int, status: int = 200) -> Reply:
        links = {"ch:sensors": self._link(f"/sensors/?device_id={number}", "Sensors")}
        return self._hal({"name": self.devices[number]}, links, status)

    def _sensor(self, number: int, status: int = 200) -> Reply:
        links = {"ch:dataHistory": self._link(f"/sensordata/?sensor_id={number}", "Data")}
        return self._hal({"metric": self.sensors[number][1], "unit": "boolean"}, links, status)

    def _list(self, address: str, form: str, items: list[dict[str, str]], query: dict[str, str]) -> Reply:
        offset = int(query.get("offset", 0))
        links: dict[str, Any] = {
            "createForm": self._link(form, "Create"),
            "items": items[offset : offset + self.page_size],
        }
        if offset + self.page_size < len(items):
            links["next"] = self._link(f"{address}&offset={offset + self.page_size}", "next")
        return self._hal({"totalCount": len(items)}, links)

    def _link(self, path: str, title: str) -> dict[str, str]:
        return {"href": f"{self.base or self.url('')}{path}", "title": title}

    def _hal(self, content: dict[str, Any], links: dict[str, Any], status: int = 200) -> Reply:
        return Reply(status, json.dumps(content | {"_links": links}).encode(), _HAL)
