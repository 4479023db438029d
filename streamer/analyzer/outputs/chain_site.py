"""A site of a chain-api server: its devices, their sensors and their data (github.com/ResEnv/chain-api).

The server speaks HAL: each document links to others (``_links``), lists come in pages, and what can be added to a list
is POSTed to its ``createForm``. Links are followed on the server that we were told of, and nowhere else.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from streamer.analyzer.outputs.answers import json_of, require_taken
from streamer.analyzer.outputs.http_sender import Answer, HttpSender
from streamer.engine.fetching.http import basic_authorization
from streamer.engine.fetching.urls import Login, StreamUrl, join_url
from tidzam_platform.errors import OutputError, RefusedAddressError

_MAX_PAGES: Final = 1000
_MAX_KNOWN: Final = (
    10_000  # devices, and sensors; beyond it the one that was used longest ago is looked up again
)
_JSON: Final = "application/json"
VALUE: Final = 1  # what a detection is


@dataclass(frozen=True)
class SensorData:
    """Where the data of a sensor are, and where new ones are POSTed to."""

    url: StreamUrl
    form: StreamUrl


class ChainSite:
    """Finds devices and sensors by name, makes those that are missing, and remembers where they are."""

    def __init__(self, http: HttpSender, url: StreamUrl) -> None:
        """``url`` is that of the site, e.g. ``https://chain.example.org/sites/7``."""
        self._http = http
        self._url = url
        self._login: Login | None = None
        self._devices: StreamUrl | None = None  # the list of them
        self._sensors: OrderedDict[str, StreamUrl] = OrderedDict()  # by device: the list of its sensors
        self._data: OrderedDict[tuple[str, str], SensorData] = OrderedDict()  # by device and sensor

    def log_in(self, user: str, password: str) -> None:
        """What the next requests carry."""
        self._login = Login(self._url.origin, user, password)

    def forget(self) -> None:
        """Look everything up again: the server may have lost what it had."""
        self._devices = None
        self._sensors.clear()
        self._data.clear()

    def look(self) -> str:
        """The name of the site; OutputError if there is none."""
        site = self._get(self._url)
        self._devices = self._link(self._url, site, "ch:devices")
        return str(site.get("name") or self._url)

    def data_of(self, device: str, sensor: str) -> SensorData:
        """Where the data of a sensor are; it and its device are made where they are missing."""
        known = self._data.get((device, sensor))
        if known is not None:
            self._data.move_to_end((device, sensor))
            return known
        sensors = self._sensors_of(device)
        made = {"sensor-type": "scalar", "metric": sensor, "unit": "boolean"}
        url, found = self._find_or_make(sensors, "metric", sensor, made)
        history = self._link(url, found, "ch:dataHistory")
        data = SensorData(history, self._link(history, self._get(history), "createForm"))
        _remember(self._data, (device, sensor), data)
        return data

    def holds(self, data: SensorData, at: datetime) -> bool:
        """Whether the newest data of a sensor hold a value of that time."""
        listed = self._get(data.url).get("data")
        if not isinstance(listed, list):
            return False
        return any(_time_of(entry) == at for entry in listed if isinstance(entry, Mapping))

    def add(self, data: SensorData, at: datetime) -> None:
        """Add the value 1 at an aware time; never sent twice by this call."""
        value = {"value": VALUE, "timestamp": at.isoformat(sep=" ")}
        self._post(data.form, value, is_repeatable=False)

    def _sensors_of(self, device: str) -> StreamUrl:
        known = self._sensors.get(device)
        if known is not None:
            self._sensors.move_to_end(device)
            return known
        if self._devices is None:
            self.look()
        assert self._devices is not None  # noqa: S101 - look has set it
        url, found = self._find_or_make(self._devices, "name", device, {"name": device})
        sensors = self._link(url, found, "ch:sensors")
        _remember(self._sensors, device, sensors)
        return sensors

    def _find_or_make(
        self, collection: StreamUrl, field: str, name: str, made: Mapping[str, Any]
    ) -> tuple[StreamUrl, dict[str, Any]]:
        """The document whose ``field`` is ``name`` and where it is."""
        form: StreamUrl | None = None
        for page_url, page in self._pages(collection):
            form = form or self._link(page_url, page, "createForm")
            for item in _links(page, "items"):
                title = item.get("title")
                if title is not None and title != name:
                    continue
                url = self._follow(page_url, item)
                document = self._get(url)
                if document.get(field) == name:
                    return url, document
        assert form is not None  # noqa: S101 - there is a page, or it was raised
        answer = self._post(form, made)
        document = json_of(answer)
        return form, document

    def _pages(self, collection: StreamUrl) -> Iterator[tuple[StreamUrl, dict[str, Any]]]:
        seen: set[str] = set()
        url: StreamUrl | None = collection
        while url is not None:
            if url.target in seen or len(seen) > _MAX_PAGES:
                raise OutputError(f"{collection}: its pages have no end")
            seen.add(url.target)
            page = self._get(url)
            yield url, page
            following = next(_links(page, "next"), None)
            url = None if following is None else self._follow(url, following)

    def _link(self, base: StreamUrl, document: Mapping[str, Any], relation: str) -> StreamUrl:
        found = next(_links(document, relation), None)
        if found is None:
            raise OutputError(f"{base} has no link {relation}: is it a site of chain-api?")
        return self._follow(base, found)

    def _follow(self, base: StreamUrl, link: Mapping[str, Any]) -> StreamUrl:
        """A link on our own server; behind a proxy that ends TLS it may say http and another port."""
        try:
            target = join_url(base, str(link.get("href")))
        except RefusedAddressError as error:
            raise OutputError(str(error)) from error
        if target.host.rstrip(".") != self._url.host.rstrip("."):
            raise OutputError(f"{base} links to {target.host}, which is another server: not followed")
        return replace(self._url, path=target.path, query=target.query)

    def _get(self, url: StreamUrl) -> dict[str, Any]:
        answer = self._http.send("GET", url, headers=self._headers(), wants_body=True)
        require_taken(answer)
        return json_of(answer)

    def _post(self, url: StreamUrl, content: Mapping[str, Any], *, is_repeatable: bool = True) -> Answer:
        answer = self._http.send(
            "POST",
            url,
            headers=self._headers() | {"Content-Type": _JSON},
            body=json.dumps(content).encode(),
            wants_body=is_repeatable,
            is_repeatable=is_repeatable,
        )
        require_taken(answer)
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/hal+json"}
        if self._login is not None:
            headers["Authorization"] = basic_authorization(self._login)
        return headers


def _links(document: Mapping[str, Any], relation: str) -> Iterator[Mapping[str, Any]]:
    """One link, or each of a list."""
    links = document.get("_links")
    found = links.get(relation) if isinstance(links, Mapping) else None
    for link in found if isinstance(found, list) else [found]:
        if isinstance(link, Mapping) and isinstance(link.get("href"), str):
            yield link


def _time_of(entry: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(entry.get("timestamp")))
    except ValueError:
        return None


def _remember(known: OrderedDict[Any, Any], key: object, found: object) -> None:
    known[key] = found
    while len(known) > _MAX_KNOWN:
        known.popitem(last=False)
