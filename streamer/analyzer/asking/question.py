"""Asking for one moment, and what came of it: an answer, a server that is away, or a refusal for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
import numpy as np

from serving.audio_batch import find_unusable_row
from serving.client.refusals import code_of, is_not_found
from serving.client.routes import Route
from serving.prediction import Prediction
from serving.shadow.origins import WindowOrigin, origins_key
from streamer.analyzer.asking.generations import AskedModel, Generations
from streamer.analyzer.asking.live_streams import is_live_stream
from streamer.analyzer.asking.spans import LostWindows
from streamer.analyzer.windows import Geometry, Moment, WindowKey
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import (
    ModelRepositoryError,
    ModelServerBusyError,
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
    TidzamError,
)

# The request itself is wrong, whoever is asked and however often. Everything else may pass: a server that starts
# answers NOT_FOUND until it has loaded its model.
_FOR_GOOD: Final = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
)
_SILENT: Final = (ModelServerUnavailableError, ModelServerDeadlineError, ModelServerBusyError)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question.

    Attributes:
        keys: the windows that were answered; row i of ``prediction`` belongs to ``keys[i]``.
        prediction: None if nothing was answered.
        refused: the windows that will never be answered, and why.
        away: why the rest was not answered and may be asked for again; empty if there is no rest.
        is_silent: no server said anything of the request; else one did, if nothing final.
    """

    keys: tuple[WindowKey, ...] = ()
    prediction: Prediction | None = None
    refused: tuple[LostWindows, ...] = ()
    away: str = ""
    is_silent: bool = True


def ask(
    model_of: Callable[[], AskedModel], generations: Generations, moment: Moment, deadline_s: float
) -> Outcome:
    """Ask for a moment; afterwards the generation that answered is among ``generations``.

    A window that no model can judge (NaN, not scaled) does not cost the others their answer. Where a window is of live
    streams, the shadow hears none of the moment and is told of none.
    """
    try:
        model = model_of()
    except TidzamError as error:
        return Outcome(away=str(error))
    try:
        try:
            return _answered(model, generations, moment, deadline_s)
        except ModelServerError as error:
            if code_of(error) not in _FOR_GOOD:
                raise
            return _without_unusable_rows(model, generations, moment, deadline_s, error)
    except ModelServerError as error:
        if code_of(error) in _FOR_GOOD:
            return Outcome(refused=(LostWindows(moment.keys, str(error)),))
        return Outcome(away=str(error), is_silent=isinstance(error, _SILENT) or is_not_found(error))
    except ModelRepositoryError as error:  # there is no sense in what it says of itself
        return Outcome(away=str(error), is_silent=False)


def _answered(model: AskedModel, generations: Generations, moment: Moment, deadline_s: float) -> Outcome:
    if any(map(is_live_stream, moment.keys)):
        prediction = model.predict(moment.audio, route=Route.in_service(), deadline_s=deadline_s)
    else:
        key = _key_of(moment.keys) if model.uses_keys else None  # it costs as much as all else here
        prediction = model.predict(moment.audio, key=key, deadline_s=deadline_s)
    description = generations.learn(model, prediction.generation)
    geometry = moment.keys[0].run.geometry
    if (description.rate_hz, description.window_frames) != (geometry.rate_hz, geometry.window_frames):
        return Outcome(refused=(LostWindows(moment.keys, _misfit(prediction.generation, geometry)),))
    return Outcome(moment.keys, prediction)


def _without_unusable_rows(
    model: AskedModel, generations: Generations, moment: Moment, deadline_s: float, error: ModelServerError
) -> Outcome:
    """Ask once more without the windows that nobody can judge; raises the error if there are none."""
    reasons = [find_unusable_row(row[np.newaxis]) for row in moment.audio]
    usable = [row for row, reason in enumerate(reasons) if reason is None]
    if len(usable) == len(reasons):
        raise error
    refused = tuple(
        LostWindows((key,), reason) for key, reason in zip(moment.keys, reasons, strict=True) if reason
    )
    if not usable:
        return Outcome(refused=refused)
    rest = Moment(tuple(moment.keys[row] for row in usable), moment.audio[usable])
    answered = _answered(model, generations, rest, deadline_s)
    return Outcome(answered.keys, answered.prediction, refused + answered.refused)


def _key_of(keys: Sequence[WindowKey]) -> str:
    """As the shadow wants it: where each window was."""
    return origins_key([WindowOrigin(key.channel, format_utc(key.start)) for key in keys])


def _misfit(generation: int, geometry: Geometry) -> str:
    return (
        f"generation {generation} hears other windows than {geometry.window_frames} samples at "
        f"{geometry.rate_hz} Hz, which were cut for the one before"
    )
