"""The real analyzer in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.analyzer.control import AnalyzerClient
from tests.support.server_process import CLI, ServerProcess, as_variables


class AnalyzerProcess(ServerProcess):
    """``./tidzam analyzer`` on ``home``; settings are ``section__name="value"``. A context that ends it."""

    name = "analyzer"

    def __init__(self, home: Path, **settings: object) -> None:
        super().__init__(home, [*CLI, "analyzer", "--json"], as_variables(settings))
        self.client = AnalyzerClient(home)

    def stop(self) -> None:
        """End it, and the client."""
        self.client.close()
        super().stop()

    def status(self) -> dict[str, Any]:
        """How it stands."""
        return self.client.request("status")

    def counts(self) -> dict[str, Any]:
        """What it has counted."""
        return self.client.request("counts")
