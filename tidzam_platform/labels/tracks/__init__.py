"""Readers of what people wrote down beside recordings: Audacity's tracks, Raven's tables, CSV.

Public names:
    read_track   a file as labels, its format found out where it is not told
    TrackLabel   one line of it
    FORMATS      the formats that are read
"""

from tidzam_platform.labels.tracks.reading import FORMATS, read_track
from tidzam_platform.labels.tracks.track_label import TrackLabel

__all__ = ["FORMATS", "TrackLabel", "read_track"]
