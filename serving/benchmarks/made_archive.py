"""A home with an archive made by repetition and a generation of random weights, for benches."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from serving.benchmarks.random_versions import noise
from serving.companion import write_companion
from serving.export import export_saved_model
from serving.repository import ModelRepository
from serving.signature import ClassDescription, ModelDescription
from tidzam_platform.archive import index_archive
from tidzam_platform.audio import probe, write_audio
from tidzam_platform.audio.archive_names import format_archive_name
from tidzam_platform.catalog.generations import EXPORTED
from tidzam_platform.catalog.tables import DatasetVersion, DetectionFile, Generation
from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.front_end import FrontEnd, preset
from tidzam_platform.classifiers.network import build_network
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.clock import utc_now
from tidzam_platform.home import Home
from tidzam_platform.made_site.recordings import make_recording, plan_recordings
from tidzam_platform.made_site.synthesis import RATE_HZ
from tidzam_platform.settings import CONFIG_FILE_VARIABLE, load_settings

SOURCE: Final = "bench"
_CLASSES: Final = (*(f"animal-kind{number}" for number in range(11)), "human-cry", "human-laugh", "noise")
_RECORDER_HZ: Final = 48_000  # of JACK and Opus
_RECORDING_S: Final = 180
_CHANNELS: Final = 4
_MIDNIGHT: Final = datetime(2026, 4, 2, tzinfo=UTC)  # at which the first quarter of the archive ends
_THRESHOLD: Final = 0.2  # random networks are unsure: at this they hear a sound now and then
_DECISION: Final = {"TIDZAM_DECISION__EVENTS__ON_THRESHOLD": "0"}


@dataclass(frozen=True)
class MadeArchive:
    """What was made.

    Attributes:
        home: the data folder.
        files: recordings one after the other, by start.
        seconds: length of each.
        channels: of each.
        front_end: of the generation.
        quarter: the first files, about a fourth of all.
        first_day: on which the quarter lies, and nothing else, as ``--from`` wants it; ``last_day`` is the last one.
    """

    home: Path
    files: tuple[Path, ...]
    seconds: float
    channels: int
    front_end: FrontEnd

    quarter: tuple[Path, ...]
    first_day: str
    last_day: str

    def channel_s(self, files: Sequence[Path]) -> float:
        """Seconds of all channels together."""
        return len(files) * self.seconds * self.channels

    def environment(self) -> dict[str, str]:
        """For processes that work on this home."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TIDZAM_")}
        return {**kept, **_DECISION, "TIDZAM_HOME": str(self.home), CONFIG_FILE_VARIABLE: os.devnull}

    def detections(self) -> int:
        """How many the generation has heard by now."""
        home = Home.open(load_settings(home=self.home))
        try:
            with home.catalog.reading() as session:
                return session.scalar(select(func.sum(DetectionFile.detections))) or 0
        finally:
            home.catalog.close()


def make_archive(folder: Path, channel_hours: float, recording: Path | None) -> MadeArchive:
    """Make a home with a generation, and an archive of about so many channel-hours, in ``folder``.

    Args:
        folder: empty.
        channel_hours: length times channels; at least two files are made.
        recording: what is repeated; None: one of the made site.
    """
    settings = load_settings(home=folder / "home", archive=folder / "archive")
    home = Home.open(settings)
    try:
        front_end = preset(settings.tree.front_end)
        _publish(home, front_end, settings.training.architecture)
        template = recording or _made_recording(folder / "template.opus")
        info = probe(template)
        count = max(2, round(channel_hours * 3600 / info.channels / info.seconds))
        quarter = max(1, count // 4)
        begin = _MIDNIGHT - quarter * timedelta(seconds=math.ceil(info.seconds))
        starts = [begin + number * timedelta(seconds=math.ceil(info.seconds)) for number in range(count)]
        settings.archive_folder.mkdir()
        files = []
        for start in starts:
            name = format_archive_name(SOURCE, start.replace(tzinfo=None), template.suffix.removeprefix("."))
            files.append(Path(shutil.copyfile(template, settings.archive_folder / name)))
        index_archive(home.catalog, settings.archive_folder, locks_folder=settings.locks_folder)
    finally:
        home.catalog.close()
    return MadeArchive(
        home=settings.home,
        files=tuple(files),
        seconds=info.seconds,
        channels=info.channels,
        front_end=front_end,
        quarter=tuple(files[:quarter]),
        first_day=starts[0].date().isoformat(),
        last_day=starts[-1].date().isoformat(),
    )


def _made_recording(file: Path) -> Path:
    """A recording of the made site, at the rate and with the codec of the recorder."""
    from soxr import resample  # type: ignore[import-untyped]

    (planned, *_) = plan_recordings(1, duration_s=_RECORDING_S, channels=_CHANNELS)
    samples, _ = make_recording(planned)
    write_audio(file, resample(samples.T, RATE_HZ, _RECORDER_HZ).T, _RECORDER_HZ)
    return file


def _publish(home: Home, front_end: FrontEnd, architecture: str) -> None:
    """Publish a network with random weights as generation 1, and let the catalog know it."""
    spec = by_parent(_CLASSES)
    load_keras().utils.set_random_seed(1)
    tree = TrainedTree.of_network(spec, front_end, build_network(spec, front_end, architecture), architecture)
    description = ModelDescription(
        classes=tuple(ClassDescription(node, spec.parent_of(node), _THRESHOLD) for node in spec.nodes),
        rate_hz=front_end.rate_hz,
        window_s=front_end.window_s,
        hop_s=front_end.hop_s,
        generation=1,
        dataset_version="random",
    )
    repository = ModelRepository(home.settings.models_folder)
    with repository.staging() as staged:
        export_saved_model(
            tree.serving_model(),
            description,
            staged,
            noise(4, front_end.window_frames),
            lambda folder: write_companion(tree.hearing, front_end, folder),
        )
        repository.publish(1, staged)
    repository.promote(1, by="bench reprocess", reason="to be measured")
    with home.catalog.session() as session:
        session.add(DatasetVersion(version="random", store_key="none", clips=0, made_at=utc_now()))
        session.flush()
        session.add(
            Generation(
                number=1, fingerprint="random", dataset_version="random", state=EXPORTED, made_at=utc_now()
            )
        )
