"""Lineage with what the model repository says: when a generation served, who decided that, and why."""

from __future__ import annotations

from datetime import datetime

from serving.repository import ModelRepository
from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.lineage import Lineage, Service, ServiceChange, find_subject, trace
from tidzam_platform.settings import Settings
from tidzam_platform.store import ObjectStore


def explain(
    settings: Settings,
    catalog: Catalog,
    store: ObjectStore,
    text: str,
    *,
    start: datetime | None = None,
    channel: str | None = None,
    clips: int = 20,
    within_s: float | None = None,
) -> Lineage:
    """Why something was heard.

    Args:
        settings, catalog, store: of the home.
        text: what is asked about, see ``lineage.find_subject``.
        start, channel: of the detection, where the caller knows: it is found sooner in the archive.
        clips: examples of a verdict, 0 to ``lineage.MAX_CLIPS``.
        within_s: no file of the archive is begun after so many seconds but the first; None: as long as it takes.

    Raises:
        DetectionNotFoundError, QueryError, QueryDeadlineError, InvalidNameError: see ``lineage.find_subject``.
        ModelRepositoryError: the state of the model repository cannot be read.
    """
    reader = DetectionReader(catalog, store)
    subject = find_subject(reader, text, start=start, channel=channel, within_s=within_s)
    service = service_of(ModelRepository(settings.models_folder), subject.generation)
    return trace(catalog, store, subject, service, clips=clips)


def service_of(repository: ModelRepository, generation: int) -> Service:
    """The label that a generation has, and the changes that touched it, the newest first."""
    label = next((name for name, version in repository.labels().items() if version == generation), None)
    changes = [
        ServiceChange(
            change.time, change.action, change.label, change.by, change.reason, change.previous_version
        )
        for change in reversed(repository.history())
        if change.version == generation
    ]
    return Service(label, tuple(changes))
