"""How many files, pipes and sockets this process may have open."""

from __future__ import annotations

import resource
from typing import Final

# More is never needed, and "as many as you like" is a thousand million: programs that we start, and that close all
# that they may have inherited one by one, would be at it for minutes.
MOST_DESCRIPTORS: Final = 65_536


def raise_descriptor_limit() -> int:
    """Raise the soft limit of this process, and of what it starts from now on, to the hard one.

    The usual soft limit of 1024 is that of a shell. It ends at ninety live sources, which take eleven descriptors each.

    Returns:
        The limit that holds now, MOST_DESCRIPTORS at most unless it was higher already.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY:
        return MOST_DESCRIPTORS
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)
