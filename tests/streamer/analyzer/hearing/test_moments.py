"""Windows are gathered for the model: 64 at most, of one geometry, each channel in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.hearing.cutter import Cut
from streamer.analyzer.hearing.moments import MomentMaker
from streamer.analyzer.windows import Geometry, Moment, Run


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans(), st.sampled_from([4, 6])), max_size=20))
def test_every_row_is_handed_on_once_in_order(cuts: list[tuple[int, bool, int]]) -> None:
    moments: list[Moment] = []
    maker = MomentMaker(moments.append)
    expected = []
    for index, (channels, flush, window) in enumerate(cuts):
        run = Run("marsh", 0, Geometry(48_000, window, 2))
        numbers = tuple(range(1, channels + 1))
        audio = (1000 * index + np.arange(channels))[:, None] + np.zeros(window)
        parts = (audio[:, :3].astype(np.float32), audio[:, 3:].astype(np.float32))
        maker.add(Cut(run, index, parts), numbers, float(index))
        expected += [(run, number, index, float(1000 * index + number - 1)) for number in numbers]
        if flush:
            maker.flush()
            assert sum(len(moment.keys) for moment in moments) == len(expected)
    maker.flush()
    found = []
    for moment in moments:
        assert 1 <= len(moment.keys) <= 64
        assert moment.audio.shape == (len(moment.keys), moment.keys[0].run.geometry.window_frames)
        assert {key.run.geometry for key in moment.keys} == {moment.keys[0].run.geometry}
        for key, row in zip(moment.keys, moment.audio, strict=True):
            assert key.ended_s == key.start_frame
            assert (row == row[0]).all()
            found.append((key.run, key.number, key.start_frame, float(row[0])))
    assert found == expected
    assert maker.moments == len(moments)
