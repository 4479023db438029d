"""Ogg (RFC 3533): where the audio of a damaged, chained or cut file lies on its own time axis.

A decoder given a damaged Ogg file skips what it cannot read and returns the rest joined together, so that every
later time is wrong. Here the pages are read first: :func:`timeline.read_timeline` says which stretches (runs) of
pages are whole and where each begins and ends, known to the sample from granule positions and packet durations;
:mod:`feeding` writes one run as a valid stream of its own for the decoder.
"""
