"""Following a route: its targets in turn, until one is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from serving.client.counts import Counts
from serving.client.deadlines import Deadline
from serving.client.missing_labels import MissingLabels
from serving.client.refusals import is_not_found, is_unknown_label
from serving.client.routes import Target
from serving.signature import STABLE
from tidzam_platform.errors import (
    ModelServerBusyError,
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
)

_T = TypeVar("_T")

# Of the time that is left: a canary that hangs must leave some for those who then answer in its place.
_CANARY_SHARE: Final = 0.5
_SILENCE: Final = (ModelServerUnavailableError, ModelServerDeadlineError, ModelServerBusyError)


class Router:
    """Finds who answers; safe to use from many threads.

    Args:
        labels: those that the server does not know.
        counts: where it is counted when a target leaves a request to the next.
    """

    def __init__(self, labels: MissingLabels, counts: Counts) -> None:
        self._labels = labels
        self._counts = counts

    def first_that_is_there(
        self, targets: Sequence[Target], deadline: Deadline, ask: Callable[[Target, Deadline], _T]
    ) -> _T:
        """The answer of the first target that the server has.

        A label that it does not know leaves the request to the next target; one beside ``stable`` does so too when
        its version is not loaded or does not answer. ``stable`` does not: a canary never answers in its place.

        Raises:
            ModelServerError: as ``ask``, from the target that had to answer.
        """
        *choices, last = targets
        for target in choices:
            if not self._labels.should_ask(target.label):
                continue
            is_stable = target.label == STABLE
            try:
                return self.ask(target, deadline if is_stable else deadline.part(_CANARY_SHARE), ask)
            except ModelServerError as error:
                is_absent = not is_stable and (is_not_found(error) or isinstance(error, _SILENCE))
                if not (is_absent or is_unknown_label(error)):
                    raise
                self._counts.add("rerouted")
        try:
            return self.ask(last, deadline, ask)
        except ModelServerError as error:
            if choices and is_not_found(error):
                self._labels.forget()  # a server that is starting: its labels come with its versions
            raise

    def ask(self, target: Target, deadline: Deadline, ask: Callable[[Target, Deadline], _T]) -> _T:
        """The answer of one target; learns whether its label is known."""
        if not target.label:
            return ask(target, deadline)
        try:
            answer = ask(target, deadline)
        except ModelServerError as error:
            if is_unknown_label(error):
                self._labels.missing(target.label)
            raise
        self._labels.known(target.label)
        return answer
