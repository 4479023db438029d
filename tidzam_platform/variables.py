"""The names of ``TIDZAM_*`` in the environment: a name that nobody reads is a mistake, and is refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

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
