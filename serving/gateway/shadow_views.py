"""What a canary said beside the stable generation, for anyone who may look."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Final

from flask import Blueprint, Response, jsonify, request

from serving.gateway.hearing import GatewayCore
from serving.gateway.refusals import HttpRefusalError, bad_request
from serving.shadow import shadow_report
from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import CatalogError

_GENERATION: Final = re.compile(r"[1-9][0-9]{0,8}")


def add_shadow_view(views: Blueprint, core: GatewayCore) -> None:
    """``GET /shadow``, with ``?stable=N&canary=M`` for one pair."""

    @views.get("/shadow")
    def shadow() -> Response:
        stable, canary = _generation("stable"), _generation("canary")
        try:
            with closing(Catalog.open(core.settings.catalog_url)) as catalog:
                return jsonify(shadow_report(catalog, stable, canary))
        except CatalogError as error:
            raise HttpRefusalError(503, "catalog_unavailable", core.without_paths(str(error))) from error


def _generation(name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not _GENERATION.fullmatch(text):
        raise bad_request(f"{name} is the number of a generation")
    return int(text)
