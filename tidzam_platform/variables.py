"""The names of ``TIDZAM_*`` in the environment: a name that nobody reads is a mistake, and is refused."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from tidzam_platform.errors import SettingsError

PREFIX: Final = "TIDZAM_"
CONFIG_FILE_VARIABLE: Final = "TIDZAM_CONFIG"
_LEVEL: Final = "__"
# Read where settings are not: before they are known, or by tests. A test holds this to the code.
READ_ELSEWHERE: Final = (CONFIG_FILE_VARIABLE, "TIDZAM_INSTALL_PARTS", "TIDZAM_CRASH_AT", "TIDZAM_TOKEN")
TEST_PREFIX: Final = "TIDZAM_TEST_"


def require_known_variables(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Look at the names that begin with ``TIDZAM_``; what stands below a known section is the model's to check.

    Args:
        model: the settings; a field that is a model is a section.
        environment: names are compared in capitals, as settings read them.

    Raises:
        SettingsError: a name is neither a setting nor read elsewhere; the message gives the nearest that is.
    """
    top = {f"{PREFIX}{name.upper()}": _section(model, name) for name in model.model_fields}
    for name in sorted(environment):
        known = name.upper()
        if not known.startswith(PREFIX) or known.startswith(TEST_PREFIX) or known in READ_ELSEWHERE:
            continue
        first, below, _ = known.partition(_LEVEL)
        if first in top and (not below or top[first] is not None):
            continue
        names = [*READ_ELSEWHERE, *_names(model, PREFIX)]
        # without the prefix, which would make any two names alike
        near = difflib.get_close_matches(known[len(PREFIX) :], [one[len(PREFIX) :] for one in names], 1)
        mend = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists all; unset it"
        raise SettingsError(f"{name} is no setting: {mend}")


def require_lists_in_json(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Look at the variables of settings that are lists: in the environment they are JSON.

    Args:
        model: the settings.
        environment: names are compared in capitals.

    Raises:
        SettingsError: one is no list in JSON; the message says how to write it.
    """
    kinds = dict(_list_variables(model, PREFIX))
    for name, text in sorted(environment.items()):
        if (kind := kinds.get(name.upper())) is None or _is_list(text):
            continue
        parts = [part.strip(" []'\"") for part in text.split(",")]
        meant = [float(part) if kind is float and _is_number(part) else part for part in parts if part]
        raise SettingsError(
            f"{name}={text!r} is no list: in the environment lists are JSON, so write it as '{json.dumps(meant)}'"
        )


def variable_of(place: Sequence[int | str], environment: Mapping[str, str]) -> str:
    """The variable that sets what stands at a place of the settings, as it is spelt; empty where none does.

    Args:
        place: names of sections and setting, perhaps with positions in a list behind them.
        environment: names are compared in capitals.
    """
    spelt = {name.upper(): name for name in environment}
    names = [part.upper() for part in place if isinstance(part, str)]
    known = (f"{PREFIX}{_LEVEL.join(names[:count])}" for count in range(len(names), 0, -1))
    return next((spelt[name] for name in known if name in spelt), "")


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _list_variables(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    """The variable of every setting that is a list, at any depth, and the kind of its first element."""
    for name, field in model.model_fields.items():
        section = _section(model, name)
        if section is not None:
            yield from _list_variables(section, f"{prefix}{name.upper()}{_LEVEL}")
        elif get_origin(field.annotation) in (tuple, list):
            yield f"{prefix}{name.upper()}", get_args(field.annotation)[0]


def _section(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    kind = model.model_fields[name].annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The variable of every setting, at any depth."""
    for name in model.model_fields:
        section = _section(model, name)
        if section is None:
            yield f"{prefix}{name.upper()}"
        else:
            yield from _names(section, f"{prefix}{name.upper()}{_LEVEL}")
