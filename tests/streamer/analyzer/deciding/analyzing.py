"""Asker, decider and store put together as the analyzer has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from streamer.analyzer.asking import Asker, Describer, Generations, Spool
from streamer.analyzer.deciding import Decider, DetectionJournal, DetectionStore
from streamer.analyzer.windows import Moment, WindowKey
from tests.streamer.analyzer.asking.made import Name, names_of
from tests.streamer.analyzer.deciding.made import Decisions
from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.settings import Settings

EVERYTHING = 1_000_000


class Analyzing:
    """All of it, over a catalog and a spool."""

    def __init__(
        self, folder: Path, client_of: Callable[[], Any], settings: Settings, *, max_mb: float = 256
    ) -> None:
        self.told, self.lost = Decisions(), list[Name]()
        self.catalog = Catalog.open(f"sqlite:///{folder / 'catalog.db'}")
        self.spool = Spool(folder / "spool", max_mb)
        self.journal = DetectionJournal(folder / "journal")
        self.store = DetectionStore(self.catalog, self.journal, self.spool.confirm)
        generations = Generations()
        self.decider = Decider(
            settings.decision, generations.of, self.told.on_results, self._on_detection, self.store.settle
        )
        self.asker = Asker(
            client_of, settings, self.spool, self.decider.heard, self._on_lost, generations=generations
        )
        self.describer = Describer(
            client_of,
            lambda _: None,
            generations,
            on_back=self.asker.server_is_back,
            remembered=folder / "described.json",
            interval_s=0.2,
        )
        self.decider.expect_spans(self.spool.recovered())

    def submit(self, moment: Moment) -> None:
        self.decider.expect(moment.keys)
        self.asker.submit(moment)

    def stored(self) -> list[Detection]:
        return LiveDetections(self.catalog).newest(EVERYTHING)

    def _on_detection(self, detection: Detection) -> None:
        self.told.on_detection(detection)
        self.store.add(detection)

    def _on_lost(self, keys: Sequence[WindowKey], reason: str) -> None:
        self.lost += names_of(keys)
        self.decider.lost(keys, reason)


@contextmanager
def analyzing(
    folder: Path, client_of: Callable[[], Any], settings: Settings, *, max_mb: float = 256
) -> Iterator[Analyzing]:
    made = Analyzing(folder, client_of, settings, max_mb=max_mb)
    ended = []
    with ExitStack() as stack:
        stack.callback(made.catalog.close)
        stack.callback(made.spool.close)
        stack.callback(made.journal.close)
        for part in (made.store, made.decider, made.asker, made.describer):
            part.start()
            stack.callback(lambda part=part: ended.append(part.stop()))  # type: ignore[misc]
        yield made
    assert all(ended), "a thread hangs"
