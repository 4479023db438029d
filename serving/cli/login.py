"""Who sits at the command line."""

from __future__ import annotations

import os
import pwd


def login_name() -> str:
    """The name of the user that this process runs as; its number where the system knows no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
