"""The paths of JibJib's API, each with its envelope ``{"status", "message", "count", "data"}``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from serving.analysis import Model
from serving.gateway.hearing import GatewayCore
from serving.gateway.jibjib.pooling import PoolingModel
from serving.gateway.jibjib.species import Species, read_species, species_of_classes
from serving.gateway.refusals import HttpRefusalError
from serving.gateway.requests import gone, to_refusal
from serving.gateway.uploads import received
from tidzam_platform.errors import AudioError, TidzamError

NO_BIRD = "No clear bird could be identified"


def jibjib_blueprint(core: GatewayCore) -> Blueprint:
    """``/ping``, ``/birds/all``, ``/birds/ID`` and ``/detect/binary``.

    Raises:
        SettingsError: the table of species that the settings name cannot be used.
    """
    views = Blueprint("jibjib", __name__)
    table = core.settings.gateway.species_table
    read = None if table is None else read_species(table)

    def known_species() -> tuple[Species, ...]:
        return species_of_classes(core.model().describe()) if read is None else read

    @views.get("/ping")
    def ping() -> Response:
        return envelope(200, "Pong", 0, None)

    @views.get("/birds/all")
    def all_birds() -> Response:
        birds = [one.bird(desc_de=False, desc_en=False) for one in known_species()]
        return envelope(200, "Bird info retrieved", len(birds), birds)

    @views.get("/birds/<number>")
    def bird(number: str) -> Response:
        if not (number.isascii() and number.isdecimal()):
            return envelope(404, "Not found", 0, None)
        for one in known_species():
            if str(one.id) == number.lstrip("0"):
                wanted = {name: request.args.get(name) != "false" for name in ("desc_de", "desc_en")}
                return envelope(200, "Bird found", 1, one.bird(**wanted))
        return envelope(404, f"Unable to find bird with id={number[:20]}", 0, None)

    @views.post("/detect/binary")
    def detect_binary() -> Response:
        return _detect_binary(core, known_species)

    @views.errorhandler(HttpRefusalError)
    @views.errorhandler(TidzamError)
    @views.errorhandler(HTTPException)
    def refused(error: Exception) -> Response:
        refusal = to_refusal(error)
        # JibJib knows one status for everything that is wrong with a recording.
        status = 400 if isinstance(error, AudioError) else refusal.status
        answer = envelope(status, core.without_paths(refusal.message), 0, None)
        answer.headers.update(refusal.headers)
        return answer

    return views


def _detect_binary(core: GatewayCore, known_species: Callable[[], tuple[Species, ...]]) -> Response:
    how = core.settings
    pools: list[PoolingModel] = []

    def pooling(model: Model) -> Model:
        pools.append(
            PoolingModel(model, power=how.gateway.pooling_power, no_signal_dbfs=how.decision.no_signal_dbfs)
        )
        return pools[-1]

    deadline = core.new_deadline()
    with core.slots.take(), received(request, core.spool, core.max_upload_bytes, deadline) as upload:
        core.hear(upload, deadline, gone(request), through=pooling)
    best = pools[-1].best(known_species())
    data = [{"id": one.id, "accuracy": share} for one, share in best]
    return envelope(200, "Detection successful" if data else NO_BIRD, len(data), data)


def envelope(status: int, message: str, count: int, data: Any) -> Response:
    """JibJib's answer."""
    answer = jsonify({"status": status, "message": message, "count": count, "data": data})
    answer.status_code = status
    return answer
