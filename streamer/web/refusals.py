"""How errors of the streamer are told to clients."""

from __future__ import annotations

from typing import Final

from serving.gateway.refusals import HttpRefusalError
from serving.gateway.requests import to_refusal
from tidzam_platform.errors import (
    AnalyzerUnavailableError,
    ArchiveError,
    AudioGraphError,
    BusyError,
    CatalogError,
    DetectionNotFoundError,
    EngineError,
    EngineUnavailableError,
    FetchError,
    InvalidNameError,
    LabelError,
    MissingSystemPartError,
    NothingToLabelError,
    ProcessError,
    QueryDeadlineError,
    QueryError,
    RefusedAddressError,
    RuleError,
    SourceError,
    StoreError,
    TidzamError,
    TokenError,
)

# The first that fits counts, so a class stands before its base.
_ANSWERS: Final[tuple[tuple[type[TidzamError], int, str], ...]] = (
    (RefusedAddressError, 403, "refused_address"),
    (FetchError, 502, "fetch_failed"),
    (SourceError, 400, "bad_source"),
    (InvalidNameError, 400, "invalid_name"),
    (ArchiveError, 400, "bad_date"),
    (QueryDeadlineError, 503, "query_deadline"),
    (DetectionNotFoundError, 404, "not_found"),
    (QueryError, 400, "bad_query"),
    (RuleError, 400, "bad_rule"),
    (NothingToLabelError, 404, "not_found"),
    (LabelError, 400, "bad_label"),
    (TokenError, 401, "unauthorized"),
    (EngineUnavailableError, 503, "engine_unavailable"),
    (EngineError, 502, "engine_failed"),
    (AudioGraphError, 503, "graph_unavailable"),
    (AnalyzerUnavailableError, 503, "analyzer_unavailable"),
    (CatalogError, 503, "catalog_unavailable"),
    (StoreError, 502, "store_failed"),
    (MissingSystemPartError, 503, "missing_part"),
    (ProcessError, 502, "process_failed"),
    (BusyError, 503, "busy"),
)


def refused(error: Exception) -> HttpRefusalError:
    """Any error of a view or a handler as the refusal that is told; a fault of ours is logged."""
    for kind, status, code in _ANSWERS:
        if isinstance(error, kind):
            return HttpRefusalError(status, code, str(error))
    refusal = to_refusal(error)
    if refusal.code == "internal":
        refusal.message = "this failed within Tidzam, and its log says why"
    return refusal


def not_found(error: SourceError | RuleError) -> HttpRefusalError:
    """Where a source or a rule that was named is not there."""
    if isinstance(error, (RefusedAddressError, FetchError)):
        return refused(error)
    return HttpRefusalError(404, "not_found", str(error))
