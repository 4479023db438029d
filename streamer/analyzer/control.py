"""How other processes talk to the analyzer: as to the engine, at a socket of its own (docs/analyzer.md)."""

from __future__ import annotations

from streamer.engine.control import AnalyzerClient

__all__ = ["AnalyzerClient"]
