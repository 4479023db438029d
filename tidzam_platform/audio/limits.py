"""How far positions that are written in a file are believed."""

from __future__ import annotations

from typing import Final

# Within these a position is taken at its word: a hole, or an overlap that gives way. Beyond them the clock was set.
MAX_HOLE_S: Final = 6 * 3600.0
MAX_OVERLAP_S: Final = 1.0
# A stream whose first position is not 0 was captured live, or has lost its beginning. No farther than this from 0
# it counts as lost, so that time 0 stays what the name of an archive file says.
MAX_LOST_START_S: Final = 600.0
MAX_LOSSES: Final = 4096  # each costs a decoder of its own
