"""The web process describes sources and asks the engine: it loads nothing that carries audio."""

from __future__ import annotations

import json
import subprocess
import sys

# What of the engine plays, and the libraries for it.
_ENGINE = ("graph", "rings", "recording", "mixer", "listening", "encoding", "core", "channels", "metering")
_SOURCES = ("manager", "live", "decoder", "supervisor", "feeding", "context")
_FETCHING = ("http", "opening", "hls", "rtsp", "local_files", "connections")
_LIBRARIES = ("numba", "llvmlite", "jack", "soxr", "librosa", "scipy")


def test_the_web_process_loads_no_part_of_the_engine_that_plays() -> None:
    code = "import json, sys, streamer.web.process; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = set(json.loads(run.stdout))
    assert {"streamer.engine.sources.specification", "streamer.engine.control.client"} <= loaded
    unwanted = {
        *(f"streamer.engine.{name}" for name in _ENGINE),
        *(f"streamer.engine.sources.{name}" for name in _SOURCES),
        *(f"streamer.engine.fetching.{name}" for name in _FETCHING),
        *_LIBRARIES,
    }
    assert loaded & unwanted == set()


def test_the_names_that_a_package_gives_away_are_those_that_it_says() -> None:
    from streamer.engine import fetching, sources

    for package in (fetching, sources):
        for name in package.__all__:
            assert getattr(package, name).__module__.startswith(package.__name__ + ".") or name == "Resolver"
        assert not hasattr(package, "nothing")
