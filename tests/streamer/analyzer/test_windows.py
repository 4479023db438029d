"""What the analyzer's rooms hand each other."""

from __future__ import annotations

from dataclasses import replace

from streamer.analyzer.windows import Heard, Moment
from tests.streamer.analyzer.asking.made import Site, heard_in, run_of
from tests.streamer.analyzer.keeping.made import run, window


def test_what_holds_arrays_is_itself_alone_and_can_be_remembered() -> None:
    """Comparing arrays gives arrays: nobody may do it by chance, in a list or a set."""
    result, moment = window(0), Site(run_of(), 1, 1).moments()[0]
    heard = Heard(moment.keys, heard_in(moment.audio, 1))
    for one, other in (
        (result, replace(result)),
        (moment, Moment(moment.keys, moment.audio)),
        (heard, replace(heard)),
        (heard.prediction, heard_in(moment.audio, 1)),
    ):
        assert one in [other, one]
        assert one != other
        assert len({one, other}) == 2
    assert run() == run()
    assert len({run(), run(), run("pond")}) == 2
