"""How a process tells Supervisor that starting it again is of no use: by an exit code that nothing else has."""

from __future__ import annotations

import os
from typing import Final

from tidzam_platform.errors import ListenError, SettingsError, TidzamError

HOPELESS_CODE: Final = 78  # EX_CONFIG of sysexits.h
SUPERVISED_VARIABLE: Final = "SUPERVISOR_ENABLED"  # which Supervisor sets for what it starts


def exit_code_of(error: TidzamError) -> int:
    """The code to end with: the error's own, but under Supervisor ``HOPELESS_CODE`` for what waiting does not mend.

    That is a setting that is wrong, and an address that somebody else has. Their own codes are shared with mistakes
    of use and of input, after which a process that ran for hours must be started again.
    """
    if SUPERVISED_VARIABLE in os.environ and isinstance(error, SettingsError | ListenError):
        return HOPELESS_CODE
    return error.exit_code
