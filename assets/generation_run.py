"""Making a generation from the command line: the Dagster job, its progress, and whether it is served."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from assets.jobs import MAKE_GENERATION
from assets.running import run_job
from serving.client import ModelClient
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.catalog.tables import DatasetVersion
from tidzam_platform.errors import ModelServerDeadlineError, ModelServerUnavailableError
from tidzam_platform.home import Home

SERVED_TIMEOUT_S: Final = 60.0  # a model server that runs looks every second, and loads in a few


def run_generation(home: Home, version: str | None, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the job from a dataset version (None: the labels as they are now) to the model repository.

    Returns:
        ``generation``, ``dataset``, ``evaluation``, ``gate`` and ``saved_model``, as --json shows them.

    Raises:
        GateRefusedError: the generation is not good enough; nothing was exported.
    """
    config = {"dataset": {"config": {"version": version or ""}}}
    with _progress_to(say):
        result = run_job(home.settings, MAKE_GENERATION, config=config)
    made = get_generation(home.catalog, result.output_for_node("generation"))
    with home.catalog.reading() as session:
        dataset = session.get_one(DatasetVersion, made.dataset_version)
    return {
        "generation": made.number,
        "dataset": {"version": dataset.version, "clips": dataset.clips},
        "evaluation": {key: value for key, value in made.evaluation.items() if key != "epochs"},
        "gate": made.manifest["gate"],
        "saved_model": str(home.settings.models_folder / "tidzam" / str(made.number)),
    }


def is_served(home: Home, number: int, timeout_s: float = SERVED_TIMEOUT_S) -> bool:
    """Whether a model server answers with this generation; one that runs gets time to load it."""
    settings = home.settings.model_server
    with ModelClient(f"{settings.host}:{settings.port}", deadline_s=settings.deadline_s) as client:
        try:
            client.status()  # no server: say so at once instead of waiting for one
        except (ModelServerUnavailableError, ModelServerDeadlineError):
            return False
        client.wait_until_available(number, timeout_s)
        return client.describe().generation == number


@contextmanager
def _progress_to(say: Callable[[str], None]) -> Iterator[None]:
    """Give what assets log of their progress to ``say``."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    logger, handler = logging.getLogger("tidzam"), Handler()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
