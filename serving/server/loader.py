"""Loading of a version for service: checked, warmed up, and only then handed over."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

import numpy as np

from serving.loading import load_version
from serving.server.loaded_version import LoadedVersion
from serving.server.predict import predict
from serving.server.refusals import RefusalError
from serving.signature import ModelDescription
from serving.tensors import decode_tensor
from serving.warm_up import read_warm_up
from tidzam_platform.errors import ModelRepositoryError

_LOG = logging.getLogger(__name__)
_WARM_UP_RUN_LIMIT_S: Final = 120.0  # the first run of a batch size may compile kernels
_MAX_TENSOR_BYTES: Final = 1 << 30


def load_for_service(version: int, folder: Path) -> LoadedVersion:
    """Load ``version`` from ``folder`` and replay its warm-up records.

    Raises:
        ModelRepositoryError: it is damaged, is not what its number says, or failed a warm-up request.
    """
    began_s = time.monotonic()
    model, description = load_version(folder)
    loaded = LoadedVersion(version, model)
    try:
        _check_number(version, description, folder)
        records = _warm_up(loaded, folder)
    except BaseException:
        model.close()
        raise
    _LOG.info("version %d loaded, %d warm-up requests, %.1f s", version, records, time.monotonic() - began_s)
    return loaded


def _check_number(version: int, description: ModelDescription, folder: Path) -> None:
    if description.generation != version:
        raise ModelRepositoryError(f"{folder} describes itself as generation {description.generation}")


def _warm_up(loaded: LoadedVersion, folder: Path) -> int:
    records = 0
    for request in read_warm_up(folder):
        try:
            response = predict(
                loaded, request, max_tensor_bytes=_MAX_TENSOR_BYTES, timeout_s=_WARM_UP_RUN_LIMIT_S
            )
        except RefusalError as error:
            raise ModelRepositoryError(f"warm-up request {records} of {folder} failed: {error}") from error
        for name, proto in response.outputs.items():
            answer = decode_tensor(proto, _MAX_TENSOR_BYTES)
            if np.issubdtype(answer.dtype, np.floating) and not np.isfinite(answer).all():
                raise ModelRepositoryError(f"warm-up request {records} of {folder}: {name} is not finite")
        records += 1
    if not records:
        _LOG.warning("version %d has no warm-up requests: its first answers will be slow", loaded.version)
    return records
