"""What a web process tells of a live stream, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class HeardLines:
    """A line when what is heard changes. For one thread."""

    def __init__(self) -> None:
        self._last: str | None = None

    def lines(self, event: Any) -> Iterator[str]:
        """What an event ``sys`` says (docs/socketio.md); answers to our own requests, refusals too, come elsewhere."""
        for window in event if isinstance(event, list) else ():
            line = self._heard(window)
            if line is not None:
                yield line

    def _heard(self, window: Any) -> str | None:
        """``2026-04-01T05:00:00.000Z  birds-robin  0.93``; None where it is as before."""
        analysis = window.get("analysis") if isinstance(window, dict) else None
        if not isinstance(analysis, dict):
            return None
        result, scores = analysis.get("result"), analysis.get("outputs")
        classes = [str(one) for one in result] if isinstance(result, list) else [str(result)]
        heard = ", ".join(classes) or "nothing"
        if heard == self._last:
            return None
        self._last = heard
        known = [scores[one] for one in classes if one in scores] if isinstance(scores, dict) else []
        best = max((score for score in known if isinstance(score, int | float)), default=None)
        return f"{analysis.get('time', '')}  {heard}" + ("" if best is None else f"  {best:.2f}")
