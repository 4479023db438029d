"""Which channels are meant: patterns over their whole names, in which only ``*`` and ``?`` are special."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_SPECIAL: Final = {"*": ".*", "?": "."}


class ChannelPatterns:
    """Patterns such as ``marsh:out_*``: ``*`` stands for any letters or none, ``?`` for one; all else for itself.

    A pattern describes the whole name: ``marsh:out_1`` is not ``marsh:out_12``, and ``marsh`` is no channel at all.
    Capitals count. ``[`` is a letter like others, unlike in a shell.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._expression = re.compile(
            "|".join(
                "".join(_SPECIAL.get(letter) or re.escape(letter) for letter in pattern)
                for pattern in patterns
            ),
            re.DOTALL,
        )

    def match(self, channel: str) -> bool:
        """Whether one of them describes ``channel``."""
        return self._expression.fullmatch(channel) is not None
