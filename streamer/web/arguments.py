"""The query of a URL, read strictly: what is not known or makes no sense is refused, not passed over."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from datetime import UTC, date, datetime, time
from typing import Final

from flask import request

from serving.gateway.refusals import bad_request
from streamer.web.channel_patterns import channel_pattern
from tidzam_platform.clock import parse_utc
from tidzam_platform.errors import InvalidNameError, TidzamError
from tidzam_platform.labels.class_paths import valid_class_path
from tidzam_platform.plain_text import require_plain

MAX_WHOLE: Final = 2**31 - 1  # of the catalog's numbers
_MAX_TEXT: Final = 300
_MAX_REPEATED: Final = 100
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_LOST_PLUS: Final = re.compile(r" (\d\d:\d\d)$")  # a + in a URL stands for a space
_WHOLE: Final = re.compile(r"[0-9]{1,10}")
_YES: Final = ("true", "1", "yes")
_NO: Final = ("false", "0", "no")


class Arguments:
    """Those of this request.

    Args:
        known: all names that there may be.

    Raises:
        HttpRefusalError: there are others, or one is too long (400). Each method raises it for what makes no sense.
        InvalidNameError: one holds a control character.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._given = request.args
        others = sorted(set(self._given) - set(known))
        if others:
            raise bad_request(f"there is no parameter {others[0][:80]!r}; there are {', '.join(known)}")
        if any(len(text) > _MAX_TEXT for values in self._given.listvalues() for text in values):
            raise bad_request(f"a parameter has more than {_MAX_TEXT} characters")
        for name, values in self._given.lists():
            require_plain(values, name)

    def text(self, name: str) -> str | None:
        """The one value of ``name``; None where it is not given, or empty."""
        values = self._given.getlist(name)
        if len(values) > 1:
            raise bad_request(f"{name} is given {len(values)} times: once is enough")
        return (values or [""])[0] or None

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of ``name``."""
        values = tuple(value for value in self._given.getlist(name) if value)
        if len(values) > _MAX_REPEATED:
            raise bad_request(f"{name} is given {len(values)} times: {_MAX_REPEATED} at most")
        return values

    def channels(self, name: str = "channel") -> tuple[str, ...]:
        """Patterns of channels."""
        try:
            return tuple(channel_pattern(text) for text in self.texts(name))
        except ValueError as error:
            raise bad_request(f"{name}: {error}") from error

    def classes(self, name: str = "class") -> tuple[str, ...]:
        """Class paths."""
        try:
            return tuple(valid_class_path(text) for text in self.texts(name))
        except InvalidNameError as error:
            raise bad_request(f"{name}: {error}") from error

    def moment(self, name: str) -> datetime | None:
        """A time with its zone; a day alone begins at midnight UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            if _DAY.fullmatch(text):
                return datetime.combine(date.fromisoformat(text), time(), UTC)
            return parse_utc(_LOST_PLUS.sub(r"+\1", text))
        except (TidzamError, ValueError, OverflowError) as error:
            raise bad_request(
                f"{name}: {text!r} is no time: write it like 2026-04-01T05:00:00Z, or a day like 2026-04-01"
            ) from error

    def whole(self, name: str, lowest: int, highest: int = MAX_WHOLE) -> int | None:
        """A whole number in that range."""
        text = self.text(name)
        return None if text is None else _whole(name, text, lowest, highest)

    def wholes(self, name: str, lowest: int, highest: int = MAX_WHOLE) -> tuple[int, ...]:
        """Whole numbers in that range."""
        return tuple(_whole(name, text, lowest, highest) for text in self.texts(name))

    def share(self, name: str) -> float | None:
        """A number from 0 to 1."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            raise bad_request(f"{name} is a number from 0 to 1")
        return value

    def yes(self, name: str) -> bool | None:
        """Whether it is true; None where it is not given."""
        text = self.text(name)
        if text is None or text in _YES:
            return None if text is None else True
        if text in _NO:
            return False
        raise bad_request(f"{name} is true or false")

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """One of these words."""
        text = self.text(name)
        if text is not None and text not in choices:
            raise bad_request(f"{name} is one of {', '.join(choices)}")
        return text


def _whole(name: str, text: str, lowest: int, highest: int) -> int:
    if not _WHOLE.fullmatch(text) or not lowest <= int(text) <= highest:
        raise bad_request(f"{name} is a whole number from {lowest} to {highest}")
    return int(text)
