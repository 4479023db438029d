"""Windows as Socket.IO clients read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from streamer.web.sockets.subscription import Form

Window = Mapping[str, Any]


def _new(window: Window) -> dict[str, Any]:
    return {"time": window["time"], "result": window["result"], "outputs": window["outputs"]}


def _old(window: Window) -> dict[str, Any]:
    time = window["time"].removesuffix("Z").replace("T", "-").replace(":", "-")
    return {"time": time, "result": window["result"], "predicitions": window["outputs"]}  # so it was spelled


def _brief(window: Window) -> dict[str, Any]:
    return {"time": window["time"], "result": window["result"], "late": window["late"]}


_SAID: Final = ("result", "outputs", "late")
_FORMS: Final[Mapping[Form, Callable[[Window], dict[str, Any]]]] = {
    "new": _new,
    "old": _old,
    "brief": _brief,
}


class WindowText:
    """One window, written when somebody wants it, once in each form.

    Attributes:
        channel: which it is of.
        time: when it began, ISO 8601 in UTC.
        is_malformed: it turned out that it cannot be written.
    """

    def __init__(self, window: Window) -> None:
        """Args: ``window`` as the analyzer tells it (``streamer.analyzer.told``); KeyError where it lacks something."""
        self.channel, self.time = str(window["chan"]), str(window["time"])
        self._window: Window = {"time": self.time} | {name: window[name] for name in _SAID}
        self._written: dict[Form, str] = {}
        self.is_malformed = False

    def written(self, form: Form) -> str:
        """``{"chan": ..., "analysis": {...}}`` as JSON; ValueError where that cannot say it (NaN)."""
        known = self._written.get(form)
        if known is None:
            said = {"chan": self.channel, "analysis": _FORMS[form](self._window)}
            known = self._written[form] = json.dumps(said, separators=(",", ":"), allow_nan=False)
        return known
